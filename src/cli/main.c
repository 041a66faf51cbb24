/* The covey command. All of it is in libcovey, so that a program's own command line is the same
 * code. */
#include "cli/command.h"

int main(int argc, char **argv)
{
    return covey_command(argc, argv);
}
