/* Bodies in pieces, up and down, of which one piece at a time is in memory.
 *
 *     curl -T FILE http://127.0.0.1:8000/count      how many bytes have come
 *     curl -N http://127.0.0.1:8000/lines/3         a line each 100 ms
 *     curl -N -T - http://127.0.0.1:8000/shout      what is typed, in capitals, while it is typed
 */
#include <covey/covey.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

static int count(covey_req *req)
{
    char piece[16384];
    int64_t sum = 0;
    ssize_t n;
    while ((n = covey_body_read(req, piece, sizeof(piece))) > 0)
        sum += n;
    return n < 0 ? (int)n : covey_textf(req, 200, "%" PRId64 " bytes\n", sum);
}

static int lines(covey_req *req)
{
    int rc = covey_respond(req, 200, .type = "text/plain");
    for (int64_t i = 1; i <= covey_param_int(req, "n") && rc == 0; i++) {
        char line[32];
        int len = snprintf(line, sizeof(line), "line %" PRId64 "\n", i);
        rc = covey_send(req, line, (size_t)len);
        if (rc == 0)
            rc = covey_sleep_ms(100);
    }
    return rc; /* 0 ends the answer; a negative code cuts it, so that the client sees it */
}

static int shout(covey_req *req)
{
    char piece[16384];
    ssize_t n;
    int rc = covey_respond(req, 200, .type = "text/plain");
    while (rc == 0 && (n = covey_body_read(req, piece, sizeof(piece))) != 0) {
        for (ssize_t i = 0; i < n; i++)
            piece[i] = (char)toupper((unsigned char)piece[i]);
        rc = n < 0 ? (int)n : covey_send(req, piece, (size_t)n);
    }
    return rc;
}

static int setup(covey_app *app)
{
    covey_put(app, "/count", count, .stream = true, .body_max = COVEY_OFF);
    covey_get(app, "/lines/<n:int>", lines);
    covey_put(app, "/shout", shout, .stream = true, .request_timeout = COVEY_OFF);
    return 0;
}
COVEY_APP(setup)

int main(int argc, char **argv) { return covey_main(argc, argv, setup); }
