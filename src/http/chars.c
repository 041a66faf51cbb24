/* Classes of bytes: the table. */
#include "http/chars.h"

/* One letter per combination that occurs. */
#define o 0
#define V CV_CHAR_VALUE
#define N (CV_CHAR_VALUE | CV_CHAR_TOKEN)
#define P (CV_CHAR_VALUE | CV_CHAR_TARGET)
#define T (CV_CHAR_VALUE | CV_CHAR_TARGET | CV_CHAR_TOKEN)
#define H (CV_CHAR_VALUE | CV_CHAR_TARGET | CV_CHAR_HOST)
#define A (CV_CHAR_VALUE | CV_CHAR_TARGET | CV_CHAR_HOST | CV_CHAR_TOKEN)

/* clang-format off */
const uint8_t cv_chars[256] = {
    o, o, o, o, o, o, o, o, o, V, o, o, o, o, o, o,
    o, o, o, o, o, o, o, o, o, o, o, o, o, o, o, o,
    /*  ! " # $ % & ' ( ) * + , - . / */
    V, A, V, N, A, T, A, A, H, H, A, A, H, A, A, P,
    /* digits                 : ; < = > ? */
    A, A, A, A, A, A, A, A, A, A, P, H, V, H, V, P,
    /* @ and capitals */
    P, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
    /*                           [ \ ] ^ _ */
    A, A, A, A, A, A, A, A, A, A, A, P, P, P, T, A,
    /* ` and small letters */
    T, A, A, A, A, A, A, A, A, A, A, A, A, A, A, A,
    /*                           { | } ~ DEL */
    A, A, A, A, A, A, A, A, A, A, A, P, T, P, A, o,
    /* obs-text */
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
};
