/* Plays a host with AMX to user-mode Linux: an XSAVE area is refused unless it is given whole.
 *
 * Preloaded behind xsave.so, to test that; what comes whole is cut to what this host takes.
 */
#include "ptrace.h"

enum { WHOLE = 11008 };  /* the area of a CPU with AMX, in bytes */

static long wrapped(ptrace_call next, int request, long pid, void *address, void *data)
{
	if (sets_xstate(request, address) && ((const struct iovec *)data)->iov_len < WHOLE) {
		errno = EFAULT;
		return -1;
	}
	return next(request, pid, address, data);
}
