/* The tests, by their subject. Those with a parameter share one lambda. */
#ifndef LAMBDA_TEST_TESTS_H
#define LAMBDA_TEST_TESTS_H

#include "harness.h"

void test_wire_files(void);
void test_url(struct lambda *l);
void test_invoke(struct lambda *l);
void test_service(struct lambda *l);
void test_api(struct lambda *l);
void test_life(void);
void test_command(void);
void test_one_name(void);
void test_queue(void);
void test_log(void);
void test_extension(void);
void test_payload(void);
void test_bind(void);
void test_given(void);
void test_reload(void);
void test_buffered(void);
void test_cors(void);
void test_concurrent(void);
void test_any_host(void);

/* "PayloadChunk:one |PayloadChunk:two |InvokeComplete:{}|", or what is wrong
 * with the stream. */
void decode_events(const struct message *m, struct bytes *out);

#endif
