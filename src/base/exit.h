/* The exit codes of every covey process, and their meaning (docs/supervision.md). */
#ifndef CV_BASE_EXIT_H
#define CV_BASE_EXIT_H

enum cv_exit {
    CV_EXIT_OK = 0,
    CV_EXIT_INTERNAL = 1,    /* covey itself is wrong */
    CV_EXIT_USAGE = 2,       /* unknown flag, bad value, wrong call of the API before start */
    CV_EXIT_BOOT = 3,        /* workers failed in their start-up listeners */
    CV_EXIT_LOAD = 4,        /* the app could not be loaded, or its setup failed */
    CV_EXIT_ADDRESS = 69,    /* address or pid file in use, or address not available */
    CV_EXIT_PEER_LOST = 70,  /* the guardian was lost; the tree was stopped */
    CV_EXIT_OS = 71,         /* the system refused something that is needed */
    CV_EXIT_UNKILLABLE = 74, /* stopped, but a process that cannot be killed is left */
    CV_EXIT_CRASH_LOOP = 75, /* workers cannot be kept alive: try again later */
    CV_EXIT_CONFIG = 78,     /* the configuration, or the pair of covey versions, is invalid */
    CV_EXIT_SIGNAL = 128     /* + s: the master was killed by signal s */
};

#endif
