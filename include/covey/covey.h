/* covey: an async web framework and application server for Linux. This header is for users; it
 * includes all others but <covey/test.h>, which is for their tests. */
#ifndef COVEY_COVEY_H
#define COVEY_COVEY_H

#include <covey/app.h>
#include <covey/cors.h>
#include <covey/fields.h>
#include <covey/files.h>
#include <covey/form.h>
#include <covey/log.h>
#include <covey/loop.h>
#include <covey/manage.h>
#include <covey/origin.h>
#include <covey/request.h>
#include <covey/response.h>
#include <covey/signal.h>
#include <covey/url.h>
#include <covey/version.h>

#endif
