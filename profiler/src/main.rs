//! The command.
use should_i_async::{kernel::*, units::*};
fn main() {
    let pid: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let t=std::time::Instant::now();
    let mut s = Session::open(&Options::for_threads(10)).unwrap();
    eprintln!("open {:?}", t.elapsed());
    s.attach().unwrap();
    eprintln!("attach {:?}", t.elapsed());
    s.add_process(Tgid::from_raw(pid)).unwrap();
    for e in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() { s.add_thread(Tgid::from_raw(pid), Tid::from_raw(e.unwrap().file_name().to_str().unwrap().parse().unwrap())); }
    let _st = Statistics::enable();
    s.begin();
    std::thread::sleep(std::time::Duration::from_secs(2));
    s.finish();
    let h = s.harvest().unwrap();
    for t in &h.alive { println!("{} phase {} vol {} inv {} kvol {} kinv {} user {} kern {} cpu {} rt {} calls {}", t.tid, t.phase, t.sums.voluntary, t.sums.involuntary, t.sums.kernel_voluntary, t.sums.kernel_involuntary, t.sums.user, t.sums.kernel, t.sums.checked_cpu, t.sums.kernel_runtime, t.sums.calls);
      for (i,c) in t.sums.classes.iter().enumerate() { if c.blocked>0||c.blocks>0 { println!("   class {i} {c:?}"); } } }
    for x in &h.sites { println!("{:?} calls {} blocked {} bytes {} kd {}/{} kb {}/{}", x.key, x.site.calls, x.site.blocked_calls, x.site.bytes, x.site.cpu_direct.sum, x.site.cpu_direct.count, x.site.cpu_blocked.sum, x.site.cpu_blocked.count); }
    for p in &h.programs { println!("{} {} {}", p.name, p.runs, p.time.as_nanos() as f64/ (p.runs.max(1)) as f64); }
    println!("{:?}", h.counters);
    println!("{:?}", h.devices.iter().map(|d|(d.0>>20, d.0&0xfffff, d.1.target.requests, d.1.others.requests)).collect::<Vec<_>>());
}
