/* names.c - a handler that asks for the address of a host by its name: for that
 * glibc loads libraries while it runs */
#include "http.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

int handler_invoke(const struct invocation *in, struct http_stream *out)
{
    struct addrinfo hints = {.ai_family = AF_INET}, *found;
    char text[INET_ADDRSTRLEN];
    struct sockaddr_in address;

    (void)in;
    if (getaddrinfo("somewhere", NULL, &hints, &found))
        return http_write(out, "unknown\n", 8);
    memcpy(&address, found->ai_addr, sizeof address);
    freeaddrinfo(found);
    (void)inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
    http_format(&out->text, "%s\n", text);
    return 0;
}
