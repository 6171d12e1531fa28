/*
 * loopback.h - the address of an imitated Runtime API
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Listens on 127.0.0.1, at a port that the system chooses. `flags` are added to
 * the socket's type. Gives the socket; without one the process ends. */
static inline int listen_on_loopback(int flags, unsigned *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &length) != 0) {
        perror("a port on 127.0.0.1");
        exit(1);
    }
    *port = ntohs(at.sin_port);
    return fd;
}

#endif
