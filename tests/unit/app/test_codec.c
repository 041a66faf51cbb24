/* Encoders: what they write is read back by the decoders of the same libraries. */
#include "app/response/codec.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <brotli/decode.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

#define EACH_CODING(i) (enum cv_coding i = CV_CODING_NONE + 1; i < CV_CODING_COUNT; i++)

static char *decoded;
static size_t decoded_cap, decoded_len;

static void *function(const char *library, const char *name)
{
    void *handle = dlopen(library, RTLD_NOW);
    void *found = handle != NULL ? dlsym(handle, name) : NULL;
    if (found == NULL)
        fail_msg("%s", dlerror());
    return found;
}

static void decode_gzip(struct cv_span in)
{
    __typeof__(&inflateInit2_) init =
        (__typeof__(init))(uintptr_t)function("libz.so.1", "inflateInit2_");
    __typeof__(&inflate) run = (__typeof__(run))(uintptr_t)function("libz.so.1", "inflate");
    __typeof__(&inflateEnd) end = (__typeof__(end))(uintptr_t)function("libz.so.1", "inflateEnd");
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)in.at, .avail_in = (unsigned)in.len};
    assert_int_equal(init(&stream, 15 + 16, ZLIB_VERSION, (int)sizeof(stream)), Z_OK);
    stream.next_out = (unsigned char *)decoded;
    stream.avail_out = (unsigned)decoded_cap;
    int rc = run(&stream, Z_SYNC_FLUSH);
    assert_true(rc == Z_OK || rc == Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    decoded_len = decoded_cap - stream.avail_out;
    end(&stream);
}

static void decode_brotli(struct cv_span in)
{
    const char *library = "libbrotlidec.so.1";
    __typeof__(&BrotliDecoderCreateInstance) create =
        (__typeof__(create))(uintptr_t)function(library, "BrotliDecoderCreateInstance");
    __typeof__(&BrotliDecoderDestroyInstance) destroy =
        (__typeof__(destroy))(uintptr_t)function(library, "BrotliDecoderDestroyInstance");
    __typeof__(&BrotliDecoderDecompressStream) run =
        (__typeof__(run))(uintptr_t)function(library, "BrotliDecoderDecompressStream");
    BrotliDecoderState *state = create(NULL, NULL, NULL);
    const uint8_t *next = (const uint8_t *)in.at;
    uint8_t *to = (uint8_t *)decoded;
    size_t left = in.len, room = decoded_cap;
    assert_int_not_equal(run(state, &left, &next, &room, &to, NULL), BROTLI_DECODER_RESULT_ERROR);
    assert_int_equal(left, 0);
    decoded_len = decoded_cap - room;
    destroy(state);
}

static void decode_zstd(struct cv_span in)
{
    __typeof__(&ZSTD_createDCtx) create =
        (__typeof__(create))(uintptr_t)function("libzstd.so.1", "ZSTD_createDCtx");
    __typeof__(&ZSTD_freeDCtx) destroy =
        (__typeof__(destroy))(uintptr_t)function("libzstd.so.1", "ZSTD_freeDCtx");
    __typeof__(&ZSTD_decompressStream) run =
        (__typeof__(run))(uintptr_t)function("libzstd.so.1", "ZSTD_decompressStream");
    ZSTD_DCtx *state = create();
    ZSTD_inBuffer from = {in.at, in.len, 0};
    ZSTD_outBuffer to = {decoded, decoded_cap, 0};
    while (from.pos < from.size)
        assert_true(run(state, &to, &from) < (size_t)-200);
    decoded_len = to.pos;
    destroy(state);
}

static void decode(enum cv_coding coding, struct cv_span in)
{
    switch (coding) {
    case CV_CODING_GZIP: decode_gzip(in); break;
    case CV_CODING_BROTLI: decode_brotli(in); break;
    case CV_CODING_ZSTD: decode_zstd(in); break;
    case CV_CODING_NONE:
    case CV_CODING_COUNT: fail();
    }
}

static void assert_decodes(enum cv_coding coding, const struct cv_buf *out, struct cv_span text)
{
    decode(coding, cv_buf_span(out));
    assert_int_equal(decoded_len, text.len);
    assert_memory_equal(decoded, text.at, text.len);
}

static int load(void **state)
{
    (void)state;
    decoded_cap = 1 << 22;
    decoded = malloc(decoded_cap);
    for
        EACH_CODING(i)
    assert_true(cv_codec_load(i));
    return decoded == NULL;
}

static int unload(void **state)
{
    (void)state;
    free(decoded);
    return 0;
}

/* Neither all alike nor noise. */
static struct cv_span some_text(size_t len)
{
    static char text[1 << 21];
    uint32_t seed = 1;
    assert_true(len <= sizeof(text));
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = (char)('a' + (seed >> 28) % (1 + i / 1000 % 16));
    }
    return cv_span(text, len);
}

static void test_a_full_buffer_is_an_error_and_no_end(void **state)
{
    (void)state;
    struct cv_span text = some_text(1 << 20);
    for
        EACH_CODING(i)
        {
            struct cv_encoder *encoder;
            struct cv_buf out;
            cv_buf_init(&out, 5000);
            assert_int_equal(cv_encoder_new(i, 1, &encoder), 0);
            assert_int_equal(cv_encoder_write(encoder, text, CV_CODEC_FINISH, &out), -EMSGSIZE);
            assert_true(out.len <= 5000);
            cv_buf_done(&out);
            cv_encoder_free(encoder);
        }
    cv_encoder_free(NULL);
}

static void test_what_is_written_is_read_back(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 1000, 100000, 1 << 21};
    for
        EACH_CODING(i)
        {
            for (size_t n = 0; n < sizeof(lens) / sizeof(lens[0]); n++) {
                struct cv_span text = some_text(lens[n]);
                struct cv_encoder *encoder;
                struct cv_buf out;
                cv_buf_init(&out, 1 << 22);
                assert_int_equal(cv_encoder_new(i, 3, &encoder), 0);
                assert_int_equal(cv_encoder_write(encoder, text, CV_CODEC_FINISH, &out), 0);
                assert_decodes(i, &out, text);
                assert_true(lens[n] < 1000 || out.len < lens[n]);
                cv_buf_done(&out);
                cv_encoder_free(encoder);
            }
        }
}

static void test_what_is_flushed_can_be_read(void **state)
{
    (void)state;
    struct cv_span text = some_text(3000);
    for
        EACH_CODING(i)
        {
            struct cv_encoder *encoder;
            struct cv_buf out;
            cv_buf_init(&out, 1 << 22);
            assert_int_equal(cv_encoder_new(i, 3, &encoder), 0);
            for (size_t at = 0; at < text.len; at += 1000) {
                struct cv_span piece = cv_span(text.at + at, 1000);
                assert_int_equal(cv_encoder_write(encoder, piece, CV_CODEC_FLUSH, &out), 0);
                assert_decodes(i, &out, cv_span(text.at, at + 1000));
            }
            assert_int_equal(cv_encoder_write(encoder, cv_span(NULL, 0), CV_CODEC_FINISH, &out), 0);
            assert_decodes(i, &out, text);
            cv_buf_done(&out);
            cv_encoder_free(encoder);
        }
}

static void test_one_that_is_reset_begins_anew(void **state)
{
    (void)state;
    struct cv_span text = some_text(5000);
    for
        EACH_CODING(i)
        {
            struct cv_encoder *encoder;
            assert_int_equal(cv_encoder_new(i, 3, &encoder), 0);
            int rounds = 0;
            do {
                struct cv_buf out;
                cv_buf_init(&out, 1 << 22);
                assert_int_equal(cv_encoder_write(encoder, text, CV_CODEC_FLUSH, &out), 0);
                if (rounds % 2 == 0) { /* also in the middle of one */
                    assert_int_equal(
                        cv_encoder_write(encoder, cv_span(NULL, 0), CV_CODEC_FINISH, &out), 0);
                    assert_decodes(i, &out, text);
                }
                cv_buf_done(&out);
                rounds++;
            } while (rounds < 5 && cv_encoder_reset(encoder));
            assert_true(rounds == 5 || i == CV_CODING_BROTLI);
            cv_encoder_free(encoder);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_buffer_is_an_error_and_no_end),
        cmocka_unit_test(test_what_is_written_is_read_back),
        cmocka_unit_test(test_what_is_flushed_can_be_read),
        cmocka_unit_test(test_one_that_is_reset_begins_anew),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
