// Boost.Asio: a keep-alive HTTP answer of 100 bytes, blocking threads or one io_context.
// g++ -O2 -std=c++17 -o asio asio.cpp -lpthread
// asio --port N --form threads|async [--work N]
#include <boost/asio.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
using boost::asio::ip::tcp;
using Err = boost::system::error_code;

static unsigned work;
static volatile unsigned long long sink;
static std::string answer() {
    std::string body(100, 'x');
    return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n" + body;
}
static const std::string ANSWER = answer();

static void compute() {
    unsigned long long x = 88172645463325252ull;
    for (unsigned i = 0; i < work; i++) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; }
    sink = x;
}

static void blocking(tcp::socket s) {
    Err e;
    s.set_option(tcp::no_delay(true), e);
    std::string in;
    for (;;) {
        size_t n = boost::asio::read_until(s, boost::asio::dynamic_buffer(in, 65536), "\r\n\r\n", e);
        if (e) return;
        in.erase(0, n);
        compute();
        boost::asio::write(s, boost::asio::buffer(ANSWER), e);
        if (e) return;
    }
}

struct Session : std::enable_shared_from_this<Session> {
    tcp::socket s;
    std::string in;
    explicit Session(tcp::socket x) : s(std::move(x)) { Err e; s.set_option(tcp::no_delay(true), e); }
    void read() {
        boost::asio::async_read_until(s, boost::asio::dynamic_buffer(in, 65536), "\r\n\r\n",
            [me = shared_from_this()](Err e, size_t n) {
                if (e) return;
                me->in.erase(0, n);
                compute();
                me->write();
            });
    }
    void write() {
        boost::asio::async_write(s, boost::asio::buffer(ANSWER),
            [me = shared_from_this()](Err e, size_t) { if (!e) me->read(); });
    }
};

static void accept_next(tcp::acceptor &a) {
    a.async_accept([&a](Err e, tcp::socket s) {
        if (!e) std::make_shared<Session>(std::move(s))->read();
        accept_next(a);
    });
}

int main(int argc, char **argv) {
    int port = 8080;
    std::string form = "threads";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--form")) form = argv[i + 1];
        else if (!strcmp(argv[i], "--work")) work = atoi(argv[i + 1]);
        else return 2;
    }
    signal(SIGTERM, [](int) { _exit(0); });
    boost::asio::io_context io(form == "async" ? 1 : BOOST_ASIO_CONCURRENCY_HINT_SAFE);
    tcp::acceptor a(io, {boost::asio::ip::address_v4::loopback(), (unsigned short)port});
    a.listen(1024);
    puts("ready");
    fflush(stdout);
    if (form == "async") {
        accept_next(a);
        io.run();
    } else if (form == "threads") {
        for (;;) std::thread(blocking, a.accept()).detach();
    } else
        return 2;
}
