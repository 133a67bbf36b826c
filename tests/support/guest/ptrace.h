/* Owns a wrapper around ptrace: who includes this is preloaded, defines `wrapped`, and may call `next`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

typedef long (*ptrace_call)(int, long, void *, void *);

static long wrapped(ptrace_call next, int request, long pid, void *address, void *data);

/* Whether a request sets the XSAVE area of a process. */
static int sets_xstate(int request, const void *address)
{
	return request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE;
}

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
	return wrapped(next, request, pid, address, data);
}
