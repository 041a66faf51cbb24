/* Attributes of covey's public declarations. */
#ifndef COVEY_EXPORT_H
#define COVEY_EXPORT_H

#define COVEY_EXPORT __attribute__((visibility("default")))
#ifdef __cplusplus
#define COVEY_API extern "C" COVEY_EXPORT
#else
#define COVEY_API COVEY_EXPORT
#endif
#define COVEY_PRINTF(text, args) __attribute__((format(printf, text, args)))

/* Switches a limit or a time-out off. Zero always means "the default". */
#define COVEY_OFF (-1)

#endif
