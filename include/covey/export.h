/* Attributes of covey's public declarations. */
#ifndef COVEY_EXPORT_H
#define COVEY_EXPORT_H

#define COVEY_API __attribute__((visibility("default")))
#define COVEY_PRINTF(text, args) __attribute__((format(printf, text, args)))

/* Switches a limit or a time-out off. Zero always means "the default". */
#define COVEY_OFF (-1)

#endif
