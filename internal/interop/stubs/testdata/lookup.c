// Looks names up by the C library it is linked with, and prints of each "name address", "name -" if it does not exist,
// or "name error N".
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct addrinfo hints, *found, *a;
		memset(&hints, 0, sizeof hints);
		hints.ai_socktype = SOCK_STREAM;
		int error = getaddrinfo(argv[i], NULL, &hints, &found);
		if (error == EAI_NONAME) {
			printf("%s -\n", argv[i]);
			continue;
		}
		if (error) {
			printf("%s error %d\n", argv[i], error);
			continue;
		}
		for (a = found; a; a = a->ai_next) {
			char text[INET6_ADDRSTRLEN];
			const void *address = a->ai_family == AF_INET
				? (const void *)&((struct sockaddr_in *)a->ai_addr)->sin_addr
				: (const void *)&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr;
			printf("%s %s\n", argv[i], inet_ntop(a->ai_family, address, text, sizeof text));
		}
		freeaddrinfo(found);
	}
	return 0;
}
