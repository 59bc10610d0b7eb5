// Servers and clients in Java: platform threads, virtual threads, and a selector.
// javac --release 17 -d . Lab.java
// java -cp . Lab serve --mode platform|virtual|nio [--protocol tcp|http|udp] [--bytes N] [--work N]
// java -cp . Lab ask --mode platform|virtual --port P [--connections N] [--requests N] and the same
// java -cp . Lab spin-rate
// README.md beside this folder says what all languages have in common.
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

public class Lab {
    static final int WORDS = 128, HEAD = 512, UDP_THREADS = 8;
    static final VarHandle LONG =
        MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    static final byte[] GET = ascii("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    static final byte[] LENGTH = ascii("Content-Length: ");

    static String mode = "platform", protocol = "tcp";
    static int bytes = 64, port, connections = 1;
    static long iterations, requests;
    static boolean http;
    static byte[] answer;
    static final AtomicLong errors = new AtomicLong();
    static final ConcurrentLinkedQueue<Job> jobs = new ConcurrentLinkedQueue<>();
    static volatile long sink;

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** The work and the count of one connection. Only its owner writes. */
    static final class Job {
        final long[] scratch = new long[WORDS];
        volatile long operations;
        long digest;
        static final VarHandle OPERATIONS;

        static {
            try {
                OPERATIONS = MethodHandles.lookup().findVarHandle(Job.class, "operations", long.class);
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        Job() {
            jobs.add(this);
        }

        void perform(byte[] message) {
            digest += work(scratch, (long) LONG.get(message, 0), iterations);
            // No locked instruction: nobody else writes.
            OPERATIONS.setRelease(this, (long) OPERATIONS.get(this) + 1);
        }
    }

    static long work(long[] scratch, long state, long times) {
        for (long i = 0; i < times; i++) {
            int at = (int) i & (WORDS - 1);
            state = Long.rotateLeft((state ^ scratch[at]) * 0x9e3779b97f4a7c15L, 23);
            scratch[at] = state;
        }
        return state;
    }

    static void fail(Exception error) {
        System.err.println("lab: " + error);
        errors.incrementAndGet();
    }

    static void die(Exception error) {
        System.err.println("lab: " + error);
        Runtime.getRuntime().halt(1);
    }

    interface Body {
        void run() throws IOException;
    }

    /** A thread of the mode. By reflection, because Java 17 has no virtual ones. */
    static void spawn(Body body) {
        Runnable run = () -> {
            try {
                body.run();
            } catch (IOException error) {
                die(error);
            }
        };
        if (!mode.equals("virtual")) {
            Thread thread = new Thread(null, run, "connection", 256 << 10);
            thread.setDaemon(true);
            thread.start();
            return;
        }
        try {
            Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, run);
        } catch (ReflectiveOperationException error) {
            die(error);
        }
    }

    /** Where the message that begins the buffer ends; 0 while it is not whole. */
    static int whole(byte[] at, int length, boolean isReply) {
        if (!http)
            return length >= bytes ? bytes : 0;
        for (int i = 3; i < length; i++) {
            if (at[i] != '\n' || at[i - 1] != '\r' || at[i - 2] != '\n' || at[i - 3] != '\r')
                continue;
            if (!isReply)
                return i + 1;
            int total = i + 1 + contentLength(at, i);
            return length >= total ? total : 0;
        }
        return 0;
    }

    static int contentLength(byte[] at, int head) {
        for (int i = 0; i + LENGTH.length < head; i++) {
            if (!Arrays.equals(at, i, i + LENGTH.length, LENGTH, 0, LENGTH.length))
                continue;
            int value = 0;
            for (int j = i + LENGTH.length; at[j] >= '0' && at[j] <= '9'; j++)
                value = value * 10 + at[j] - '0';
            return value;
        }
        return 0;
    }

    static void serve(Socket socket) {
        try (socket) {
            socket.setTcpNoDelay(true);
            InputStream in = socket.getInputStream();
            OutputStream out = socket.getOutputStream();
            Job job = new Job();
            byte[] buffer = new byte[bytes + HEAD];
            for (int filled = 0;;) {
                int length;
                while ((length = whole(buffer, filled, false)) == 0) {
                    int got = in.read(buffer, filled, buffer.length - filled);
                    if (got < 0)
                        return;
                    filled += got;
                }
                job.perform(buffer);
                if (http)
                    out.write(answer);
                else
                    out.write(buffer, 0, length);
                filled -= length;
                System.arraycopy(buffer, length, buffer, 0, filled);
            }
        } catch (IOException error) {
            // The client is gone.
        }
    }

    /** A connection of the selector. */
    static final class Ready {
        final Job job = new Job();
        final byte[] array = new byte[bytes + HEAD];
        final ByteBuffer buffer = ByteBuffer.wrap(array);
        final ByteBuffer direct = ByteBuffer.allocateDirect(Math.max(bytes + HEAD, answer.length));
        boolean unsent;

        /** One read for each event, then replies to all messages that are whole. */
        void serve(SelectionKey key) throws IOException {
            SocketChannel channel = (SocketChannel) key.channel();
            if (unsent && !flush(key, channel))
                return;
            if (key.isReadable()) {
                direct.clear().limit(buffer.remaining());
                int got = channel.read(direct);
                if (got < 0) {
                    channel.close();
                    return;
                }
                buffer.put(direct.flip());
            }
            int length;
            while ((length = whole(array, buffer.position(), false)) > 0) {
                job.perform(array);
                direct.clear();
                if (http)
                    direct.put(answer);
                else
                    direct.put(array, 0, length);
                direct.flip();
                buffer.flip().position(length);
                buffer.compact();
                if (!flush(key, channel))
                    return;
            }
        }

        boolean flush(SelectionKey key, SocketChannel channel) throws IOException {
            channel.write(direct);
            if (unsent != direct.hasRemaining()) {
                unsent = direct.hasRemaining();
                key.interestOps(unsent ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
            }
            return !unsent;
        }
    }

    static void select(ServerSocketChannel listener) throws IOException {
        Selector selector = Selector.open();
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        for (;;) {
            selector.select(key -> {
                try {
                    if (key.isAcceptable()) {
                        SocketChannel channel = listener.accept();
                        channel.configureBlocking(false);
                        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                        channel.register(selector, SelectionKey.OP_READ, new Ready());
                    } else {
                        ((Ready) key.attachment()).serve(key);
                    }
                } catch (IOException error) {
                    key.cancel();
                }
            });
        }
    }

    static void serveDatagrams(DatagramSocket socket) throws IOException {
        Job job = new Job();
        DatagramPacket packet = new DatagramPacket(new byte[bytes + 8], bytes + 8);
        for (;;) {
            packet.setLength(bytes + 8);
            socket.receive(packet);
            job.perform(packet.getData());
            socket.send(packet);
        }
    }

    static int serve() throws IOException {
        InetSocketAddress at = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        if (protocol.equals("udp")) {
            DatagramSocket socket = new DatagramSocket(at);
            for (int i = 0; i < UDP_THREADS; i++)
                spawn(() -> serveDatagrams(socket));
            return socket.getLocalPort();
        }
        if (mode.equals("nio")) {
            ServerSocketChannel listener = ServerSocketChannel.open().bind(at, 4096);
            spawn(() -> select(listener));
            return ((InetSocketAddress) listener.getLocalAddress()).getPort();
        }
        ServerSocket listener = new ServerSocket(0, 4096, at.getAddress());
        spawn(() -> {
            for (;;) {
                Socket socket = listener.accept();
                spawn(() -> serve(socket));
            }
        });
        return listener.getLocalPort();
    }

    static void ask(Socket socket, long number) throws IOException {
        InputStream in = socket.getInputStream();
        OutputStream out = socket.getOutputStream();
        Job job = new Job();
        byte[] request = new byte[bytes], reply = new byte[bytes + HEAD];
        Arrays.fill(request, (byte) 'x');
        for (long sent = 1; requests == 0 || sent <= requests; sent++) {
            if (!http)
                LONG.set(request, 0, number << 40 | sent);
            out.write(http ? GET : request);
            for (int filled = 0; whole(reply, filled, true) == 0;) {
                int got = in.read(reply, filled, reply.length - filled);
                if (got < 0)
                    throw new IOException("the server closed a connection");
                filled += got;
            }
            if (!http && !Arrays.equals(request, 0, bytes, reply, 0, bytes))
                fail(new IOException("a reply that differs from its request"));
            job.perform(reply);
        }
    }

    static void askDatagrams(DatagramSocket socket, long number) throws IOException {
        Job job = new Job();
        DatagramPacket request = new DatagramPacket(new byte[bytes], bytes);
        DatagramPacket reply = new DatagramPacket(new byte[bytes], bytes);
        for (long sent = 1; requests == 0 || sent <= requests; sent++) {
            LONG.set(request.getData(), 0, number << 40 | sent);
            socket.send(request);
            socket.receive(reply);
            if (!Arrays.equals(request.getData(), reply.getData()))
                fail(new IOException("a reply that differs from its request"));
            job.perform(reply.getData());
        }
    }

    static void ask() throws IOException {
        InetSocketAddress to = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        for (int i = 0; i < connections; i++) {
            long number = i;
            if (protocol.equals("udp")) {
                DatagramSocket socket = new DatagramSocket();
                socket.connect(to);
                spawn(() -> askDatagrams(socket, number));
                continue;
            }
            Socket socket = new Socket();
            socket.connect(to);
            socket.setTcpNoDelay(true);
            spawn(() -> ask(socket, number));
        }
    }

    static void spinRate() {
        long[] scratch = new long[WORDS];
        long fastest = Long.MAX_VALUE, times = 2_000_000;
        for (int i = 0; i < 40; i++) {
            long begun = System.nanoTime();
            sink = work(scratch, i, times);
            fastest = Math.min(fastest, System.nanoTime() - begun);
        }
        System.out.println("{\"iterations_per_us\":" + times * 1e3 / fastest + "}");
    }

    static long operations() {
        return jobs.stream().mapToLong(job -> job.operations).sum();
    }

    public static void main(String[] words) throws IOException {
        for (int i = 1; i + 1 < words.length; i += 2) {
            String value = words[i + 1];
            switch (words[i]) {
                case "--mode": mode = value; break;
                case "--protocol": protocol = value; break;
                case "--bytes": bytes = Integer.parseInt(value); break;
                case "--work": iterations = Long.parseLong(value); break;
                case "--port": port = Integer.parseInt(value); break;
                case "--connections": connections = Integer.parseInt(value); break;
                case "--requests": requests = Long.parseLong(value); break;
                default: System.exit(2);
            }
        }
        http = protocol.equals("http");
        byte[] head = ascii("HTTP/1.1 200 OK\r\nContent-Length: " + bytes + "\r\n\r\n");
        answer = Arrays.copyOf(head, head.length + bytes);
        Arrays.fill(answer, head.length, answer.length, (byte) 'x');
        long pid = ProcessHandle.current().pid();
        switch (words.length > 0 ? words[0] : "") {
            case "spin-rate": spinRate(); return;
            case "serve": System.out.println("{\"pid\":" + pid + ",\"port\":" + serve() + "}"); break;
            case "ask": ask(); System.out.println("{\"pid\":" + pid + ",\"warm\":true}"); break;
            default: System.exit(2);
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = lines.readLine()) != null;) {
            if (line.equals("count"))
                System.out.println("{\"operations\":" + operations() + ",\"now_ns\":" + System.nanoTime() + "}");
        }
        long digest = jobs.stream().mapToLong(job -> job.digest).sum();
        System.out.println("{\"operations\":" + operations() + ",\"errors\":" + errors.get() + ",\"digest\":\""
            + String.format("%016x", digest) + "\"}");
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
