// The servlet of the Tomcat row: a fixed body of 100 bytes. -Dpairs.work=N: rounds of a small loop
// per request.
import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Arrays;

@WebServlet("/fixed")
public class Fixed extends HttpServlet {
    static final byte[] BODY = new byte[100];
    static final int WORK = Integer.getInteger("pairs.work", 0);
    static volatile long sink;

    static {
        Arrays.fill(BODY, (byte) 'x');
    }

    @Override
    protected void doGet(HttpServletRequest q, HttpServletResponse r) throws IOException {
        long x = 88172645463325252L;
        for (int i = 0; i < WORK; i++) {
            x ^= x << 13;
            x ^= x >>> 7;
            x ^= x << 17;
        }
        sink = x;
        r.setContentType("text/plain");
        r.setContentLength(BODY.length);
        r.getOutputStream().write(BODY);
    }
}
