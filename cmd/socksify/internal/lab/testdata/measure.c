/* measure MODE HOST PORT: connects (500 one after the other, prints µs each), bulk (1 GiB down, then up, prints MB/s),
   datagrams (20000, 32 in flight at once, prints answers per second), open (1000 connections, until standard input
   ends). */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char b[256 << 10];

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int dial(char **argv, int type)
{
	struct addrinfo hints = {0}, *a;
	int s;

	hints.ai_socktype = type;
	hints.ai_family = AF_INET;
	if (getaddrinfo(argv[2], argv[3], &hints, &a) != 0)
		exit(1);
	s = socket(a->ai_family, a->ai_socktype, 0);
	if (connect(s, a->ai_addr, a->ai_addrlen) != 0) {
		perror("connect");
		exit(1);
	}
	freeaddrinfo(a);
	return s;
}

int main(int argc, char **argv)
{
	double began = now();
	long i, n, size = 1L << 30;
	int s;

	if (argc < 4)
		return 2;
	if (strcmp(argv[1], "connects") == 0) {
		for (i = 0; i < 500; i++) {
			s = dial(argv, SOCK_STREAM);
			if (write(s, b, 1) != 1 || read(s, b, 1) != 1)
				return 1;
			close(s);
		}
		printf("%.0f\n", (now() - began) / 500 * 1e6);
		return 0;
	}
	if (strcmp(argv[1], "datagrams") == 0) {
		struct timeval patience = {5, 0};
		s = dial(argv, SOCK_DGRAM);
		setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		began = now();
		for (i = 0; i < 32; i++)
			if (write(s, b, 1200) != 1200)
				return 1;
		for (i = 0; i < 20000; i++)
			if (read(s, b, sizeof b) != 1200 || write(s, b, 1200) != 1200)
				return 1;
		printf("%.0f\n", 20000 / (now() - began));
		return 0;
	}
	if (strcmp(argv[1], "open") == 0) {
		for (i = 0; i < 1000; i++)
			dial(argv, SOCK_STREAM);
		printf("open\n");
		fflush(stdout);
		while (read(0, b, sizeof b) > 0)
			;
		return 0;
	}
	s = dial(argv, SOCK_STREAM);
	began = now();
	for (n = write(s, "d", 1), n = 0; (i = read(s, b, sizeof b)) > 0; n += i)
		;
	printf("%.0f ", n / 1e6 / (now() - began));
	s = dial(argv, SOCK_STREAM);
	began = now();
	for (n = write(s, "u", 1), n = 0; n < size && (i = write(s, b, sizeof b)) > 0; n += i)
		;
	shutdown(s, SHUT_WR);
	if (n < size || read(s, b, 1) != 1)
		return 1;
	printf("%.0f\n", n / 1e6 / (now() - began));
	return 0;
}
