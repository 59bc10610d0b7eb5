// Threads of a JVM whose part is known.
// Roles synchronized  8 that fight over a monitor
// Roles reentrant     8 that fight over a ReentrantLock
// Roles executor      1 that submits to an executor of 4
// It says "ready" and goes on for 30 s.
import java.io.FileInputStream;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.ReentrantLock;

public class Roles {
    static final long WORK_NS = 20_000;
    static long shared;

    static void spin(long ns) {
        long begun = System.nanoTime();
        while (System.nanoTime() - begun < ns) {
            shared++;
        }
    }

    static void start(String name, Runnable body) {
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        thread.start();
    }

    /** A read that never blocks. */
    static void job() {
        try (FileInputStream zero = new FileInputStream("/dev/zero")) {
            zero.read(new byte[512]);
        } catch (java.io.IOException failed) {
            throw new java.io.UncheckedIOException(failed);
        }
        spin(WORK_NS);
    }

    public static void main(String[] args) throws Exception {
        Object monitor = new Object();
        ReentrantLock lock = new ReentrantLock();
        switch (args[0]) {
            case "synchronized":
                for (int i = 0; i < 8; i++) {
                    start("fights", () -> {
                        for (;;) {
                            synchronized (monitor) {
                                spin(WORK_NS);
                            }
                        }
                    });
                }
                break;
            case "reentrant":
                for (int i = 0; i < 8; i++) {
                    start("fights", () -> {
                        for (;;) {
                            lock.lock();
                            try {
                                spin(WORK_NS);
                            } finally {
                                lock.unlock();
                            }
                        }
                    });
                }
                break;
            case "executor":
                ExecutorService pool = Executors.newFixedThreadPool(4, body -> {
                    Thread thread = new Thread(body, "works");
                    thread.setDaemon(true);
                    return thread;
                });
                start("submits", () -> {
                    for (;;) {
                        pool.execute(Roles::job);
                        spin(4 * WORK_NS);
                    }
                });
                break;
            default:
                System.exit(2);
        }
        // Until what runs often is compiled.
        Thread.sleep(2_000);
        System.out.println("ready");
        Thread.sleep(30_000);
        System.exit(0);
    }
}
