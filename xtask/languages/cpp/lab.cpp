// A server in C++ on Asio: asynchronous reads and writes on one io_context.
// c++ -O2 -std=c++17 -static -o lab lab.cpp -pthread
// lab serve --mode asio [--protocol tcp|http] [--bytes N] [--work N]
// lab spin-rate
// README.md beside this folder says what all languages have in common.
#include <boost/asio.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace asio = boost::asio;
using asio::ip::tcp;

static constexpr std::size_t WORDS = 128, HEAD = 512;
static std::size_t bytes = 64;
static std::uint64_t iterations;
static bool http;
static std::string answer;

// The work and the count of one connection. Only its owner writes.
struct Job {
    std::uint64_t scratch[WORDS] = {};
    std::atomic<std::uint64_t> operations{0}, digest{0};
};

static std::mutex lock;
static std::vector<std::shared_ptr<Job>> jobs;

static std::shared_ptr<Job> new_job()
{
    auto job = std::make_shared<Job>();
    std::lock_guard<std::mutex> held(lock);
    jobs.push_back(job);
    return job;
}

static __attribute__((noinline)) std::uint64_t work(std::uint64_t *scratch, std::uint64_t state, std::uint64_t times)
{
    for (std::uint64_t i = 0; i < times; i++) {
        state = (state ^ scratch[i % WORDS]) * 0x9e3779b97f4a7c15u;
        state = state << 23 | state >> 41;
        scratch[i % WORDS] = state;
    }
    return state;
}

static void perform(Job &job, const char *message)
{
    std::uint64_t seed;
    std::memcpy(&seed, message, sizeof seed);
    auto result = work(job.scratch, seed, iterations);
    job.digest.store(job.digest.load(std::memory_order_relaxed) + result, std::memory_order_relaxed);
    job.operations.store(job.operations.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

static std::uint64_t now_ns()
{
    // CLOCK_MONOTONIC in libstdc++.
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

class Conversation : public std::enable_shared_from_this<Conversation> {
public:
    explicit Conversation(tcp::socket socket) : socket_(std::move(socket)), job_(new_job()), buffer_(bytes + HEAD) {}

    void receive()
    {
        socket_.async_read_some(asio::buffer(buffer_.data() + filled_, buffer_.size() - filled_),
            [self = shared_from_this()](boost::system::error_code error, std::size_t got) {
                if (error)
                    return;
                self->filled_ += got;
                self->reply();
            });
    }

private:
    // Length of the message that begins the buffer, 0 while it is not whole.
    std::size_t whole() const
    {
        if (!http)
            return filled_ >= bytes ? bytes : 0;
        auto end = static_cast<const char *>(memmem(buffer_.data(), filled_, "\r\n\r\n", 4));
        return end ? static_cast<std::size_t>(end - buffer_.data()) + 4 : 0;
    }

    void reply()
    {
        auto length = whole();
        if (length == 0)
            return receive();
        perform(*job_, buffer_.data());
        asio::const_buffers_1 out(http ? answer.data() : buffer_.data(), http ? answer.size() : length);
        asio::async_write(socket_, out,
            [self = shared_from_this(), length](boost::system::error_code error, std::size_t) {
                if (error)
                    return;
                self->filled_ -= length;
                std::memmove(self->buffer_.data(), self->buffer_.data() + length, self->filled_);
                self->reply();
            });
    }

    tcp::socket socket_;
    std::shared_ptr<Job> job_;
    std::vector<char> buffer_;
    std::size_t filled_ = 0;
};

static void accept(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](boost::system::error_code error, tcp::socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            std::make_shared<Conversation>(std::move(socket))->receive();
        }
        accept(acceptor);
    });
}

static void spin_rate()
{
    std::uint64_t scratch[WORDS] = {}, fastest = UINT64_MAX, times = 2000000, sink = 0;
    for (std::uint64_t i = 0; i < 20; i++) {
        auto begun = now_ns();
        sink ^= work(scratch, i, times);
        fastest = std::min(fastest, now_ns() - begun);
    }
    std::printf("{\"iterations_per_us\":%f,\"sink\":%d}\n", times * 1e3 / fastest, static_cast<int>(sink & 1));
}

static std::uint64_t sum(std::atomic<std::uint64_t> Job::*field)
{
    std::lock_guard<std::mutex> held(lock);
    std::uint64_t total = 0;
    for (auto &job : jobs)
        total += ((*job).*field).load(std::memory_order_relaxed);
    return total;
}

int main(int count, char **words)
{
    std::string what = count > 1 ? words[1] : "";
    for (int i = 2; i + 1 < count; i += 2) {
        std::string name = words[i], value = words[i + 1];
        if (name == "--protocol") http = value == "http";
        else if (name == "--bytes") bytes = std::stoul(value);
        else if (name == "--work") iterations = std::stoull(value);
        else if (name != "--mode") return 2;
    }
    answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" + std::string(bytes, 'x');
    if (what == "spin-rate")
        return spin_rate(), 0;
    if (what != "serve")
        return 2;
    // One thread runs it.
    asio::io_context io(1);
    tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    acceptor.listen(4096);
    accept(acceptor);
    std::thread loop([&io] { io.run(); });
    std::printf("{\"pid\":%d,\"port\":%d}\n", getpid(), acceptor.local_endpoint().port());
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);) {
        if (line != "count")
            continue;
        std::printf("{\"operations\":%lu,\"now_ns\":%lu}\n", sum(&Job::operations), now_ns());
        std::fflush(stdout);
    }
    std::printf("{\"operations\":%lu,\"errors\":0,\"digest\":\"%016lx\"}\n", sum(&Job::operations), sum(&Job::digest));
    std::fflush(stdout);
    _exit(0);
}
