//! Heads under three scores, with the rank that each score gives them: of the small layer, and of a
//! layer of the model that ships.

use leptos::prelude::*;
use slimgpt::obs::{Options, Score};
use slimgpt::shape::Site;
use slimgpt_worker::protocol::{Answer, Job, Layer, Scored};

use crate::kit::{Choice, shown};
use crate::lessons::tiny;
use crate::remote::Work;
use crate::text::say;

/// The scores, from the roughest to the true one.
pub const SCORES: [Score; 3] = [Score::Diagonal, Score::GroupedCholesky, Score::Exact];

/// What one head scores.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadScores {
    /// The head, from 0.
    pub head: usize,
    /// By each of [`SCORES`].
    pub by: [f64; 3],
}

/// The heads of one layer of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerScores {
    /// The layer, from 0.
    pub layer: usize,
    /// Its heads, or groups of heads that go as one.
    pub heads: Vec<HeadScores>,
}

impl LayerScores {
    /// What the worker answered for a layer; `None` where a score is missing.
    pub fn of(layer: usize, scored: &[Scored]) -> Option<Self> {
        let by = |score: Score| scored.iter().find(|s| s.score == score).map(|s| &s.scores);
        let [diagonal, grouped, exact] = SCORES.map(by);
        let all = diagonal?.iter().zip(grouped?).zip(exact?).enumerate();
        let heads =
            all.map(|(head, ((&diagonal, &grouped), &exact))| HeadScores { head, by: [diagonal, grouped, exact] });
        Some(Self { layer, heads: heads.collect() })
    }
}

/// The words for a score.
pub fn score_name(score: usize) -> &'static str {
    [say::five_diagonal(), say::five_grouped(), say::five_exact()][score]
}

/// The head that a score would remove.
pub fn cheapest(heads: &[HeadScores], score: usize) -> Option<usize> {
    // `min_by` takes the first of equals, as the library does.
    heads.iter().min_by(|a, b| a.by[score].total_cmp(&b.by[score])).map(|head| head.head)
}

/// Its place among the others, from 1.
fn rank(heads: &[HeadScores], head: usize, score: usize) -> usize {
    // Only what is truly lower counts, so that equals share a place.
    1 + heads.iter().filter(|other| other.by[score] < heads[head].by[score]).count()
}

/// A table: a row for each head, a column for each score.
#[component]
pub fn Scores(
    /// What the table is of.
    #[prop(into)]
    caption: Signal<String>,
    /// The heads that are left.
    #[prop(into)]
    heads: Signal<Vec<HeadScores>>,
    /// The score that decides, which is pointed out.
    #[prop(optional, into)]
    deciding: Option<Signal<usize>>,
) -> AnyView {
    let decides = move |score: usize| deciding.is_some_and(|deciding| deciding.get() == score);
    let title = move |score: usize| {
        view! { <th scope="col" class:deciding=move || decides(score)>{score_name(score)}</th> }
    };
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=move || caption.get()>
            <table class="scores">
                <caption>{move || caption.get()}</caption>
                <thead>
                    <tr>
                        <th scope="col">{say::five_head()}</th>
                        {(0..SCORES.len()).map(title).collect_view()}
                    </tr>
                </thead>
                <tbody>{move || {
                    let heads = heads.get();
                    (0..heads.len()).map(|head| row(&heads, head)).collect_view()
                }}</tbody>
            </table>
        </div>
    }.into_any()
}

fn row(heads: &[HeadScores], head: usize) -> impl IntoView + use<> {
    let cells = (0..SCORES.len()).map(|score| cell(heads, head, score)).collect_view();
    view! { <tr><th scope="row">{heads[head].head + 1}</th>{cells}</tr> }
}

fn cell(heads: &[HeadScores], head: usize, score: usize) -> impl IntoView + use<> {
    let (value, rank) = (heads[head].by[score], rank(heads, head, score));
    let largest = heads.iter().map(|head| head.by[score]).fold(0.0, f64::max);
    let share = if largest > 0.0 { 100.0 * value / largest } else { 0.0 };
    let colour = if rank == 1 { "s1" } else { "quiet" };
    let words = if rank == 1 { say::five_cheapest().to_owned() } else { say::five_rank(rank) };
    view! {
        <td class:cheapest={rank == 1}>
            <span class="value">{shown(value, 1)}</span>
            " "
            <span class="rank">{words}</span>
            <svg class="bar figure" height="8" aria-hidden="true">
                <rect class=format!("fill {colour}") x="0" y="1" height="6" width=format!("{share:.2}%")></rect>
            </svg>
        </td>
    }
}

/// A layer of the shipped model beside the toy: the worker scores its groups of heads when it is asked to.
#[component]
pub fn Shipped() -> AnyView {
    let (layer, found) = (RwSignal::new(0usize), RwSignal::new(None::<LayerScores>));
    let work = Work::new();
    let ask = move || {
        // Noted now: another may be chosen while this one is computed.
        let number = layer.get_untracked();
        let job =
            Job::Layer(Layer { layer: number, site: Site::Heads, remove: 1, damping: Options::default().damping });
        let answered = move |answer| {
            if let Answer::Layer(scored) = answer {
                found.set(LayerScores::of(number, &scored));
            }
        };
        work.start(job, |_| {}, answered);
    };
    let table = move |found: LayerScores| {
        let LayerScores { layer, heads } = found;
        let [diagonal, exact] = [0, 2].map(|score| cheapest(&heads, score).map_or(0, |head| head + 1));
        let words = match diagonal == exact {
            true => say::five_shipped_agrees(exact),
            false => say::five_shipped_differs(diagonal, exact),
        };
        view! {
            <Scores caption=Signal::derive(move || say::five_shipped(layer + 1)) heads=Signal::derive(move || heads.clone())/>
            <p aria-live="polite">{words}</p>
        }
    };
    view! {
        <div class="controls">
            <Choice
                name="five-layer"
                legend=say::five_shipped_layer()
                options=(1..=tiny::LAYERS).map(|layer| layer.to_string()).collect()
                chosen=layer
                on=Callback::new(move |i| layer.set(i))
            />
            <button type="button" disabled=move || work.is_busy() on:click=move |_| ask()>{say::five_shipped_score()}</button>
        </div>
        {work.view(ask)}
        {move || found.get().map(table)}
    }.into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_worker_is_read_whatever_its_order() {
        let scored = |score, scores: [f64; 2]| Scored { score, scores: scores.to_vec(), removed: vec![0], error: 0.1 };
        let answer = [
            scored(Score::Exact, [3.0, 6.0]),
            scored(Score::Diagonal, [1.0, 4.0]),
            scored(Score::GroupedCholesky, [2.0, 5.0]),
        ];
        let heads = LayerScores::of(2, &answer).unwrap().heads;
        assert_eq!(heads.iter().map(|head| head.by).collect::<Vec<_>>(), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(LayerScores::of(2, &answer[1..]), None);
    }

    #[test]
    fn equal_scores_share_a_rank_and_the_lowest_is_first() {
        let heads: Vec<HeadScores> =
            [2.0, 1.0, 2.0, 3.0].iter().enumerate().map(|(head, &s)| HeadScores { head, by: [s, -s, s] }).collect();
        assert_eq!((0..4).map(|head| rank(&heads, head, 0)).collect::<Vec<_>>(), [2, 1, 2, 4]);
        assert_eq!([cheapest(&heads, 0), cheapest(&heads, 1)], [Some(1), Some(3)]);
    }
}
