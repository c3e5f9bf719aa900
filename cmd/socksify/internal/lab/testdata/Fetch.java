import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;

/** Fetches http://HOST/ by a Socket, then by a channel that is registered before it is connected. */
public class Fetch {
	public static void main(String[] args) throws Exception {
		byte[] request = ("GET / HTTP/1.0\r\nHost: " + args[0] + "\r\n\r\n").getBytes();
		try (Socket s = new Socket(args[0], 80)) {
			s.getOutputStream().write(request);
			System.out.write(s.getInputStream().readAllBytes());
		}
		try (Selector selector = Selector.open(); SocketChannel c = SocketChannel.open()) {
			c.configureBlocking(false);
			SelectionKey key = c.register(selector, SelectionKey.OP_CONNECT);
			boolean connected = c.connect(new InetSocketAddress(args[0], 80));
			while (!connected) {
				selector.select(10000);
				connected = c.finishConnect();
			}
			c.write(ByteBuffer.wrap(request));
			key.interestOps(SelectionKey.OP_READ);
			ByteBuffer b = ByteBuffer.allocate(65536);
			while (c.read(b) >= 0)
				selector.select(10000);
			System.out.print("NIO: " + new String(b.array(), 0, b.position()));
		}
		System.out.flush();
	}
}
