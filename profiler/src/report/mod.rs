//! report (placeholder while the room is being built).
use crate::model::Report;
#[derive(Default)]
pub struct TextOptions {
    pub width: usize,
    pub verbose: bool,
    pub color: bool,
}
pub fn text(r: &Report, _: &TextOptions) -> String {
    format!("{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}", r.verdict, r.score, r.cpu, r.wall, r.check, r.self_cost)
        + &format!(
            "{:#?}{:#?}{:#?}{:#?}",
            r.sites.iter().take(3).collect::<Vec<_>>(),
            r.reference,
            r.quality,
            r.wakeups
        )
}
pub fn json(r: &Report) -> String {
    format!("{r:#?}")
}
pub fn schema() -> String {
    String::new()
}
