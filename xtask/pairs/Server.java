// A small HTTP/1.1 keep-alive server on ServerSocket, a thread per connection.
// java Server.java --port N --form platform|virtual [--timeout SECONDS] [--work N]
// One carrier for the virtual form:
// -Djdk.virtualThreadScheduler.parallelism=1 -Djdk.virtualThreadScheduler.maxPoolSize=1
import java.io.InputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

public class Server {
    static int work, timeout;
    static volatile long sink;
    static final byte[] OK, BAD;

    static {
        byte[] body = new byte[100];
        Arrays.fill(body, (byte) 'x');
        body[99] = '\n';
        byte[] head = ("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
            + body.length + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII);
        OK = Arrays.copyOf(head, head.length + body.length);
        System.arraycopy(body, 0, OK, head.length, body.length);
        BAD = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .getBytes(StandardCharsets.US_ASCII);
    }

    /** End of the head that starts at 0, or -1. */
    static int headEnd(byte[] b, int len, int from) {
        for (int i = Math.max(3, from); i < len; i++)
            if (b[i] == '\n' && b[i - 1] == '\r' && b[i - 2] == '\n' && b[i - 3] == '\r')
                return i + 1;
        return -1;
    }

    static void serve(Socket s) {
        try (s) {
            s.setTcpNoDelay(true);
            if (timeout > 0)
                s.setSoTimeout(timeout * 1000);
            InputStream in = s.getInputStream();
            OutputStream out = s.getOutputStream();
            byte[] b = new byte[8192];
            int len = 0;
            while (true) {
                int end, seen = 0;
                while ((end = headEnd(b, len, seen)) < 0) {
                    seen = len;
                    if (len == b.length)
                        return;
                    int n = in.read(b, len, b.length - len);
                    if (n < 0)
                        return;
                    len += n;
                }
                String head = new String(b, 0, end, StandardCharsets.ISO_8859_1);
                boolean get = head.startsWith("GET ");
                int line = head.indexOf("\r\n");
                boolean keep = get && head.substring(0, line).endsWith(" HTTP/1.1")
                    && !head.toLowerCase().contains("\r\nconnection: close");
                long x = 88172645463325252L;
                for (int i = 0; i < work; i++) {
                    x ^= x << 13;
                    x ^= x >>> 7;
                    x ^= x << 17;
                }
                sink = x;
                out.write(get ? OK : BAD);
                if (!keep)
                    return;
                len -= end;
                System.arraycopy(b, end, b, 0, len);
            }
        } catch (IOException e) {
            // The peer went away, or was idle for too long.
        }
    }

    public static void main(String[] a) throws Exception {
        int port = 8080;
        String form = "platform";
        for (int i = 0; i + 1 < a.length; i += 2)
            switch (a[i]) {
                case "--port" -> port = Integer.parseInt(a[i + 1]);
                case "--form" -> form = a[i + 1];
                case "--timeout" -> timeout = Integer.parseInt(a[i + 1]);
                case "--work" -> work = Integer.parseInt(a[i + 1]);
                default -> throw new IllegalArgumentException(a[i]);
            }
        Thread.Builder make = switch (form) {
            case "platform" -> Thread.ofPlatform().daemon().name("conn-", 0);
            case "virtual" -> Thread.ofVirtual().name("conn-", 0);
            default -> throw new IllegalArgumentException(form);
        };
        try (ServerSocket l = new ServerSocket(port, 1024, InetAddress.getLoopbackAddress())) {
            System.out.println("ready");
            while (true) {
                Socket s = l.accept();
                make.start(() -> serve(s));
            }
        }
    }
}
