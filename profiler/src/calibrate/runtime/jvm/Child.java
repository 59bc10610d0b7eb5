import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The child of `should-i-async calibrate --runtime`: a server that sends messages back, in each
 * form that Java offers. Its only client is the process that started it.
 *
 * It says its version and its forms in a line, each form with the port where it is reached. Then a
 * line "FORM CONNECTIONS ROUNDS BATCHES IDLE QUIET" starts a form: the client connects, the child
 * says "r", answers BATCHES batches of one message on each of the connections, says "." after each
 * unless QUIET is 1, and "e" once the form has ended. ROUNDS are those of a loop for each message,
 * IDLE is the time-out of each read, s, or 0. It ends with its stdin.
 */
public final class Child {
    static final int SIZE = 64;
    /** Threads of a pool. */
    static final int POOL = 16;
    static volatile int kept;

    static int connections, rounds, idle;
    static boolean quiet;
    static final AtomicInteger answered = new AtomicInteger();
    static int left;

    static void said(char what) {
        System.out.write(what);
        System.out.flush();
    }

    static void work() {
        int x = 1;
        for (int i = 0; i < rounds; i++) {
            x = x * 31 + i ^ x >>> 7;
        }
        kept = x;
    }

    /** Counts a message. Says when a batch is answered; true once all are. */
    static boolean one() {
        if (answered.incrementAndGet() == connections) {
            answered.set(0);
            left--;
            boolean over = left == 0;
            if (!quiet) {
                said('.');
            }
            return over;
        }
        return false;
    }

    /** Reads a message and sends it back; false at the end of the stream. */
    static boolean serve(InputStream in, OutputStream out, byte[] data) throws IOException {
        for (int have = 0; have < SIZE; ) {
            int more = in.read(data, have, SIZE - have);
            if (more < 0) {
                return false;
            }
            have += more;
        }
        work();
        out.write(data, 0, SIZE);
        return true;
    }

    static Socket[] accept(ServerSocket server) throws IOException {
        Socket[] sockets = new Socket[connections];
        for (int i = 0; i < connections; i++) {
            sockets[i] = server.accept();
            sockets[i].setTcpNoDelay(true);
            sockets[i].setSoTimeout(idle * 1000);
        }
        return sockets;
    }

    /** One thread that reads from one connection after the other. */
    static void blocking(ServerSocket server) throws IOException {
        Socket[] sockets = accept(server);
        InputStream[] in = new InputStream[connections];
        OutputStream[] out = new OutputStream[connections];
        for (int i = 0; i < connections; i++) {
            in[i] = sockets[i].getInputStream();
            out[i] = sockets[i].getOutputStream();
        }
        byte[] data = new byte[SIZE];
        said('r');
        for (boolean over = false; !over; ) {
            for (int i = 0; i < connections && serve(in[i], out[i], data); i++) {
                over = one();
            }
        }
        for (Socket socket : sockets) {
            socket.close();
        }
    }

    /** A virtual thread for each connection. */
    static void virtual(ServerSocket server) throws Exception {
        Socket[] sockets = accept(server);
        CountDownLatch over = new CountDownLatch(1);
        CountDownLatch ended = new CountDownLatch(connections);
        Method start = Thread.class.getMethod("startVirtualThread", Runnable.class);
        for (Socket socket : sockets) {
            Runnable loop = () -> {
                try (socket) {
                    InputStream in = socket.getInputStream();
                    OutputStream out = socket.getOutputStream();
                    byte[] data = new byte[SIZE];
                    while (serve(in, out, data)) {
                        if (one()) {
                            over.countDown();
                        }
                    }
                } catch (IOException gone) {
                    // The client has closed it.
                } finally {
                    ended.countDown();
                }
            };
            start.invoke(null, loop);
        }
        said('r');
        over.await();
        for (Socket socket : sockets) {
            socket.close();
        }
        ended.await();
    }

    /** Takes the connections, with a buffer for a message each. */
    static void accept(ServerSocketChannel server, Selector selector) throws IOException {
        for (int i = 0; i < connections; i++) {
            SocketChannel channel = server.accept();
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            channel.configureBlocking(false);
            channel.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(SIZE));
        }
    }

    static void close(Selector selector) throws IOException {
        for (SelectionKey key : selector.keys()) {
            key.channel().close();
        }
    }

    /** A loop over a selector. */
    static void selector(ServerSocketChannel server) throws IOException {
        try (Selector selector = Selector.open()) {
            accept(server, selector);
            said('r');
            long last = 0;
            boolean over = false;
            while (!over) {
                selector.select(idle * 1000L);
                if (idle > 0) {
                    last = System.nanoTime();
                }
                for (SelectionKey key : selector.selectedKeys()) {
                    over |= answer(key);
                }
                selector.selectedKeys().clear();
            }
            kept = (int) last;
            close(selector);
        }
    }

    /** A virtual thread for each task, where there are virtual threads. */
    static ExecutorService threadPerTask() throws ReflectiveOperationException {
        return (ExecutorService) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
    }

    /** A loop over a selector that hands what is ready to threads. */
    static void handing(ServerSocketChannel server, ExecutorService threads) throws Exception {
        try (Selector selector = Selector.open()) {
            accept(server, selector);
            AtomicBoolean over = new AtomicBoolean();
            said('r');
            while (!over.get()) {
                selector.select(idle * 1000L);
                for (SelectionKey key : selector.selectedKeys()) {
                    key.interestOps(0);
                    threads.execute(() -> {
                        try {
                            if (answer(key)) {
                                over.set(true);
                            }
                        } catch (IOException gone) {
                            over.set(true);
                        }
                        key.interestOps(SelectionKey.OP_READ);
                        selector.wakeup();
                    });
                }
                selector.selectedKeys().clear();
            }
            threads.shutdown();
            threads.awaitTermination(1, TimeUnit.SECONDS);
            close(selector);
        }
    }

    /** Reads what is there and sends it back once it is whole; true after the last message. */
    static boolean answer(SelectionKey key) throws IOException {
        SocketChannel channel = (SocketChannel) key.channel();
        ByteBuffer data = (ByteBuffer) key.attachment();
        if (channel.read(data) < 0 || data.hasRemaining()) {
            return false;
        }
        work();
        data.flip();
        while (data.hasRemaining()) {
            channel.write(data);
        }
        data.clear();
        return one();
    }

    static boolean hasVirtual() {
        try {
            Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, (Runnable) () -> { });
            return true;
        } catch (ReflectiveOperationException none) {
            return false;
        }
    }

    static String line() throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = System.in.read(); c != '\n'; c = System.in.read()) {
            if (c < 0) {
                return null;
            }
            line.append((char) c);
        }
        return line.toString();
    }

    public static void main(String[] none) throws Exception {
        InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        ServerSocket sockets = new ServerSocket(0, 256, any.getAddress());
        ServerSocketChannel channels = ServerSocketChannel.open();
        channels.bind(any, 256);
        int port = sockets.getLocalPort();
        int other = ((InetSocketAddress) channels.getLocalAddress()).getPort();
        String forms = " blocking:" + port;
        if (hasVirtual()) {
            forms += " virtual:" + port + " tasks:" + other;
        }
        forms += " selector:" + other + " pooled:" + other;
        System.out.println(System.getProperty("java.version") + forms);
        for (String line = line(); line != null; line = line()) {
            String[] order = line.split(" ");
            connections = Integer.parseInt(order[1]);
            rounds = Integer.parseInt(order[2]);
            left = Integer.parseInt(order[3]);
            idle = Integer.parseInt(order[4]);
            quiet = order[5].equals("1");
            answered.set(0);
            if (order[0].equals("blocking")) {
                blocking(sockets);
            } else if (order[0].equals("virtual")) {
                virtual(sockets);
            } else if (order[0].equals("pooled")) {
                handing(channels, Executors.newFixedThreadPool(POOL));
            } else if (order[0].equals("tasks")) {
                handing(channels, threadPerTask());
            } else {
                selector(channels);
            }
            said('e');
        }
    }
}
