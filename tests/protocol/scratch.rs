//! scratch
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::host::{LIMIT, SECOND_NS, Settings};
use crate::links::Quality;
use distributary::Limit;
use distributary::proto::KeyId;

const KEY: KeyId = KeyId(9 << 120);

fn exp(dice: &mut Dice, mean_ns: f64) -> u64 {
    let u = (dice.roll() >> 11) as f64 / (1u64 << 53) as f64;
    (-(1.0 - u).ln() * mean_ns) as u64
}

fn arrivals(kind: &str, n: u64, secs: u64) -> Vec<(u64, usize)> {
    let mut dice = Dice::new(77);
    let mut out = vec![];
    let rate = |x: f64| 1e9 / (100.0 * x);
    let end = secs * SECOND_NS;
    let (load, f): (f64, Box<dyn Fn(u64, &mut Dice) -> usize>) = match kind {
        "even-2x" => (2.0, Box::new(move |_, d| d.within(0, n) as usize)),
        "even-0.8x" => (0.8, Box::new(move |_, d| d.within(0, n) as usize)),
        "skew-0.9x" => (
            0.9,
            Box::new(move |_, d| {
                if d.within(0, 1000) < 890 {
                    0
                } else {
                    1 + d.within(0, n - 1) as usize
                }
            }),
        ),
        "skew-3x" => (
            3.0,
            Box::new(move |_, d| {
                if d.within(0, 1000) < 800 {
                    0
                } else {
                    1 + d.within(0, n - 1) as usize
                }
            }),
        ),
        "moving-2x" => (
            2.0,
            Box::new(move |t, _| (t / (2 * SECOND_NS) % n) as usize),
        ),
        "moving-0.9x" => (
            0.9,
            Box::new(move |t, _| (t / (2 * SECOND_NS) % n) as usize),
        ),
        "burst-moving" | "burst-same" | "burst-all" => {
            for b in 0..secs / 2 {
                let t0 = b * 2 * SECOND_NS + SECOND_NS / 2;
                let places: Vec<u64> = match kind {
                    "burst-moving" => vec![b % n],
                    "burst-same" => vec![0],
                    _ => (0..n).collect(),
                };
                for p in places {
                    for i in 0..100 {
                        out.push((t0 + i * 500_000, p as usize));
                    }
                }
            }
            out.sort();
            return out;
        }
        _ => panic!(),
    };
    let mut t = 0;
    loop {
        t += exp(&mut dice, rate(load));
        if t > end {
            break;
        }
        let p = f(t, &mut dice);
        out.push((t, p));
    }
    out
}

fn ideal(a: &[(u64, usize)]) -> u64 {
    let (mut level, mut last, mut n) = (0.0f64, 0u64, 0);
    for (t, _) in a {
        level = (level - (t - last) as f64 * 100.0 / 1e9).max(0.0);
        last = *t;
        if level + 1.0 <= 100.0 + 1e-9 {
            level += 1.0;
            n += 1;
        }
    }
    n
}

#[test]
fn scratch() {
    let ns: Vec<u64> = std::env::var("NS")
        .unwrap_or("5".into())
        .split(',')
        .map(|x| x.parse().unwrap())
        .collect();
    let kinds = std::env::var("KINDS").unwrap_or("even-2x,even-0.8x,skew-0.9x,skew-3x,moving-2x,moving-0.9x,burst-moving,burst-same,burst-all".into());
    let eps: u64 = std::env::var("EPS").unwrap_or("0".into()).parse().unwrap();
    let secs: u64 = std::env::var("SECS")
        .unwrap_or("60".into())
        .parse()
        .unwrap();
    let q = if std::env::var("WAN").is_ok() {
        Quality {
            delay_ns_min: 30_000_000,
            delay_ns_max: 60_000_000,
            loss_percent: 5,
            double_percent: 0,
        }
    } else {
        Quality::LAN
    };
    for n in ns {
        for kind in kinds.split(',') {
            let settings = Settings {
                overshoot_milli: eps,
                ..Settings::new(n as usize, Limit::per_second(100))
            };
            let mut c = Cluster::founded(settings, q, 4);
            c.run_for(SECOND_NS);
            let t0 = c.now;
            if std::env::var("DESC").is_ok() {
                println!(
                    "{}",
                    c.describe()
                        .lines()
                        .take(8)
                        .map(|l| l.chars().take(400).collect::<String>())
                        .collect::<Vec<_>>()
                        .join("\n")
                );
                for h in &c.hosts {
                    println!("{:?}", h.node.ledger().weight());
                }
            }
            let grants = |c: &Cluster| -> u64 {
                c.hosts.iter().map(|h| h.node.counters().grants_sent).sum()
            };
            let (f0, g0) = (c.frames, grants(&c));
            let a = arrivals(kind, n, secs);
            let mut admitted = 0;
            let mut why = std::collections::BTreeMap::<String, u64>::new();
            for (t, p) in &a {
                c.run_until(t0 + t);
                let d = c.check(*p, KEY, 1);
                if d.is_allowed() {
                    admitted += 1;
                } else {
                    *why.entry(format!("{:?}", d.verdict())).or_insert(0) += 1;
                }
            }
            println!("why {why:?}");
            if std::env::var("SHOW").is_ok() {
                let mut v: Vec<_> = (0..c.hosts.len())
                    .map(|i| {
                        let h = &c.hosts[i];
                        let pk = h.table.peek(
                            LIMIT,
                            KEY,
                            distributary::proto::Nanos(c.now + h.offset_ns),
                        );
                        (
                            pk.share.parts() as f64 / distributary::Share::WHOLE.parts() as f64
                                * 100.0,
                            pk.level_units,
                        )
                    })
                    .collect();
                v.sort_by(|a, b| a.0.total_cmp(&b.0));
                println!(
                    "{}",
                    v.iter()
                        .map(|(s, l)| format!("{s:.2}:{:.2}", s - l))
                        .collect::<Vec<_>>()
                        .join(" ")
                );
                println!(
                    "sum share {:.3} sum balance {:.2}",
                    v.iter().map(|x| x.0).sum::<f64>(),
                    v.iter().map(|x| x.0 - x.1).sum::<f64>()
                );
            }
            let id = ideal(&a);
            let _ = LIMIT;
            println!(
                "n {n:3} {kind:12} util {:.4} frames/n/s {:.1} grants/n/s {:.1} judge {:?}",
                admitted as f64 / id as f64,
                (c.frames - f0) as f64 / (n * secs) as f64,
                (grants(&c) - g0) as f64 / (n * secs) as f64,
                c.judge()
            );
        }
    }
}

#[test]
fn stuck() {
    let settings = Settings { overshoot_milli: 200, ..Settings::new(5, Limit::per_second(10).burst(20)) };
    let mut c = Cluster::founded(settings, Quality::LAN, 0);
    let mut dice = Dice::new(0);
    for i in 0..2000u64 {
        c.run_for(SECOND_NS / 50);
        let k = KeyId(((dice.within(0, 10) as u128) << 120) + 5);
        let place = if dice.chance(90) { (i / 300 % 5) as usize } else { dice.within(0, 5) as usize };
        let _ = c.check(place, k, 1);
    }
    for _ in 0..6 {
    c.run_for(20 * SECOND_NS);
    let mut n = 0;
    for k in 0..10u128 { let k = KeyId((k << 120) + 5);
        let v: Vec<_> = c.hosts.iter().map(|h| { let pk = h.table.peek(LIMIT, k, distributary::proto::Nanos(c.now + h.offset_ns)); (pk.contended, pk.share.as_fraction(), pk.rate.as_fraction(), pk.level_units) }).collect();
        if v.iter().any(|x| x.0) { n += 1; if n < 3 { println!("{k:?}");
          for x in v { println!("   {x:?}"); }
          for h in &c.hosts { h.table.with_contended(k, |e, cst| { println!("   rows {:?}", e.rows.iter().map(|r| (r.row.share.parts() as i64 - cst.base.parts() as i64, r.row.rate.parts() as i64 - cst.base.parts() as i64, r.row.demand.sparse, r.row.unmet_units)).collect::<Vec<_>>()); println!("     own {:?} {:?} od {:?}", e.account.share().parts() as i64 - cst.base.parts() as i64, e.account.rate().parts() as i64 - cst.base.parts() as i64, e.account.overdraft().parts() as i64 - cst.overdraft.parts() as i64); }); } } }
    }
    println!("contended {n}; {:?}", c.grants_on_their_way().iter().take(3).collect::<Vec<_>>());
    }
}
