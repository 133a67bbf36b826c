/* Lets user-mode Linux 6.1 run on CPUs whose XSAVE area is larger than it knows (AMX).
 *
 * It restores a process's registers with PTRACE_SETREGSET and the 2,696 bytes that it keeps; a
 * host with AMX wants the whole area, answers EFAULT, and the guest panics. So where the host
 * refuses, the bytes are given once more with zeros behind them, and nothing said to be there.
 * Preloaded into linux.uml; other requests, and hosts that take what they are given, see no change.
 */
#include "ptrace.h"
#include <string.h>

enum {
	LARGEST = 1 << 16,      /* more than any CPU has; the host takes what it wants of it */
	XSTATE_BV = 512,        /* where the area says which components are there */
	KNOWN = 0x3ff,          /* the components up to PKRU, which those bytes can hold */
};

static long wrapped(ptrace_call next, int request, long pid, void *address, void *data)
{
	static uint8_t whole[LARGEST] __attribute__((aligned(64)));
	long result = next(request, pid, address, data);
	if (result != -1 || errno != EFAULT || !sets_xstate(request, address))
		return result;

	const struct iovec *given = data;
	uint64_t present;
	if (given->iov_len < XSTATE_BV + sizeof present || given->iov_len > LARGEST)
		return result;
	memset(whole, 0, sizeof whole);
	memcpy(whole, given->iov_base, given->iov_len);
	memcpy(&present, whole + XSTATE_BV, sizeof present);
	present &= KNOWN;
	memcpy(whole + XSTATE_BV, &present, sizeof present);
	struct iovec padded = { whole, sizeof whole };
	return next(request, pid, address, &padded);
}
