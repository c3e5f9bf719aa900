/* Fetches http://HOST:PORT/ and prints the page. With a third argument "nondumpable" it hides from ptrace first;
   with "nonblock" it connects without blocking, by poll. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int nonblocking(int s, const struct addrinfo *a)
{
	int err = 0;
	socklen_t n = sizeof err;
	struct pollfd p = {s, POLLOUT, 0};

	fcntl(s, F_SETFL, O_NONBLOCK);
	if (connect(s, a->ai_addr, a->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -1;
	if (poll(&p, 1, 10000) != 1)
		return -1;
	getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &n);
	fcntl(s, F_SETFL, 0);
	errno = err;
	return err ? -1 : 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 3 ? argv[3] : "";
	struct addrinfo hints = {0}, *a;
	char b[4096];
	int s, n, e;

	if (argc < 3)
		return 2;
	if (strcmp(mode, "nondumpable") == 0)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_family = AF_INET;
	if ((e = getaddrinfo(argv[1], argv[2], &hints, &a)) != 0) {
		fprintf(stderr, "getaddrinfo: %s\n", gai_strerror(e));
		return 1;
	}
	s = socket(a->ai_family, a->ai_socktype, 0);
	e = strcmp(mode, "nonblock") == 0 ? nonblocking(s, a) : connect(s, a->ai_addr, a->ai_addrlen);
	if (e != 0) {
		printf("connect: %s\n", strerror(errno));
		return 1;
	}
	n = snprintf(b, sizeof b, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", argv[1]);
	if (write(s, b, n) != n)
		return 1;
	while ((n = read(s, b, sizeof b)) > 0)
		fwrite(b, 1, n, stdout);
	return n < 0;
}
