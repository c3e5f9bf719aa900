/* Connects 3000 times to an address that a thread switches continually between this machine's and another. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static union {
	struct sockaddr_in in;
	struct sockaddr_un un;
} address;
static volatile int done;

static void *flip(void *arg)
{
	while (!done) {
		address.in.sin_addr.s_addr = inet_addr("127.0.0.1");
		address.in.sin_family = AF_UNIX;
		address.in.sin_family = AF_INET;
		address.in.sin_port = htons(53);
		address.in.sin_addr.s_addr = inet_addr("10.88.0.1");
		address.in.sin_port = htons(9999);
	}
	return arg;
}

int main(void)
{
	pthread_t t;
	int i, s, d;

	pthread_create(&t, 0, flip, 0);
	for (i = 0; i < 3000; i++) {
		s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		d = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		connect(s, (struct sockaddr *)&address, sizeof address.in);
		sendto(d, "x", 1, 0, (struct sockaddr *)&address, sizeof address.in);
		close(s);
		close(d);
	}
	done = 1;
	pthread_join(t, 0);
	puts("done");
	return 0;
}
