/* Plays a host with AMX to user-mode Linux: an XSAVE area is refused unless it is given whole.
 *
 * Preloaded behind xsave.so, to test that; what comes whole is cut to what this host takes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

enum { WHOLE = 11008 };  /* the area of a CPU with AMX, in bytes */

typedef long (*ptrace_call)(int, long, void *, void *);

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_call next;
	va_list arguments;
	va_start(arguments, request);
	long pid = va_arg(arguments, long);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);

	if (next == NULL)
		next = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");
	if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE
	    && ((const struct iovec *)data)->iov_len < WHOLE) {
		errno = EFAULT;
		return -1;
	}
	return next(request, pid, address, data);
}
