"""Loyalty tiers of the silent: how well they are predicted, and what bias stays.

The simulator knows the true tier of every account, also of those that never answer a survey. For both kinds of silence (by
the attitude itself, or only by what usage shows) and several seeds this learns the tier from answers, as users must, and
judges it on later cutoffs among those who then answered and those who stayed silent apart, against the true tier.

    python benchmarks/tiers.py [--quick] [--accounts 2000] [--seeds 4] [--noise 2]

`--noise` is the spread of one answer around the attitude, in points of NPS: the simulator's own is 0.75.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from unittest import mock

import numpy as np
import pandas as pd

from staypower import LoyaltyTierClassifier, build_dataset, load_config, read_tables, simulate
from staypower.cutoffs import DAY, instant_of
from staypower.evaluation.tier import evaluate_tiers
from staypower.features.families.surveys import tells_answers
from staypower.labels.tier import find_survey_state, find_tiers
from staypower.labels.tier_settings import TIERS, TierSettings
from staypower.metrics.probability import calibration_error
from staypower.models.silence import find_silence
from staypower.models.tier_prediction import choose_tiers, tell_tiers
from staypower.simulation.world import PARAMETERS

OBSERVED_UNTIL = "2025-06-30"
TABLES = ("accounts", "usage", "tickets", "surveys", "subscriptions", "payments", "advocacy", "goals")
TILTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
METRICS = {
    "accuracy": "accuracy",
    "adjacent_accuracy": "at most 1 off",
    "ranked_probability_score": "RPS",
    "quadratic_weighted_kappa": "QWK",
    "macro_f1": "macro F1",
}


@dataclass(frozen=True)
class Company:
    """One simulated company: features, answers and truth on the same rows."""

    X: pd.DataFrame
    accounts: np.ndarray
    cutoffs: np.ndarray
    tier: np.ndarray
    last_tier: np.ndarray
    ever_invited: np.ndarray
    true: np.ndarray
    test: np.ndarray
    embargo: int
    calibration: int
    categories: list[str]
    answers: list[int]  # columns that tell what was answered


def make_company(accounts: int, seed: int, silence: str) -> Company:
    """Simulate, read through the ordinary config, build features, and set the truth beside them."""
    sources = {name: {"source": name} for name in TABLES}
    sources["accounts"]["static"] = ["segment", "region"]
    sources["tickets"]["fixed"] = ["priority", "category"]
    settings = load_config(
        {
            "name": "tiers",
            "observed_until": OBSERVED_UNTIL,
            "tables": sources,
            "label": {"kind": "contractual", "horizon": 90, "grace": 30},
        }
    )
    last = settings.label.outcome.last_mature(instant_of(OBSERVED_UNTIL, end=True))
    told = [last - number * 30 * DAY for number in range(24)]
    made = simulate(accounts, seed=seed, silence=silence, cutoffs=told, horizon=1, siblings=(), copies=2)
    tables = read_tables(settings, made.tables)
    dataset = build_dataset(settings, tables)
    labels = find_tiers(tables, TierSettings(), dataset.plan.all)
    tier, last_tier = labels.rows(dataset.matrix.accounts, dataset.matrix.cutoffs)
    state = find_survey_state(tables, TierSettings(), labels.accounts, dataset.plan.all)
    account = pd.Index(labels.accounts).get_indexer(pd.Index(dataset.matrix.accounts))
    ever_invited = state.ever_invited[account, np.searchsorted(dataset.plan.all, dataset.matrix.cutoffs)]
    return Company(
        dataset.X,
        dataset.matrix.accounts,
        dataset.matrix.cutoffs,
        tier,
        last_tier,
        ever_invited,
        true_tiers(made.truth, dataset.matrix.accounts, dataset.matrix.cutoffs),
        dataset.rows("test"),
        dataset.plan.embargo,
        len(dataset.plan.calibration),
        list(dataset.matrix.categories),
        [dataset.catalogue.names.index(name) for name in tells_answers(dataset.catalogue)],
    )


def true_tiers(truth: pd.DataFrame, accounts: np.ndarray, cutoffs: np.ndarray) -> np.ndarray:
    """Return the number of each row's true tier."""
    known = truth.assign(cutoff=truth["cutoff"].dt.as_unit("us").astype("int64")).set_index(["account_id", "cutoff"])["tier"]
    known.index = known.index.set_levels(known.index.levels[0].astype(object), level=0)
    found = known.reindex(pd.MultiIndex.from_arrays([accounts, cutoffs]))
    return found.map({name: number for number, name in enumerate(TIERS)}).to_numpy(dtype=np.int64)


def fit(company: Company, y: np.ndarray, rows: np.ndarray) -> LoyaltyTierClassifier:
    """Learn from some rows of the training and calibration cutoffs."""
    model = LoyaltyTierClassifier(
        range(3),
        split="temporal",
        embargo_days=company.embargo,
        calibration_cutoffs=company.calibration,
        categorical_features=company.categories or None,
    )
    return model.fit(company.X[rows], y[rows], cutoffs=company.cutoffs[rows], accounts=company.accounts[rows])


def predict(company: Company) -> dict[str, np.ndarray]:
    """Return the probabilities of every way of learning, on the test rows."""
    learned, answers = ~company.test, company.tier.astype(np.int64)
    taught = learned & (company.tier >= 0)
    test = company.X[company.test]
    model = fit(company, answers, taught)
    likely, asked = model.predict_proba(test), learned & company.ever_invited
    silence = find_silence(
        *(model._features(company.X[asked]), answers[asked], company.accounts[asked]), answers=company.answers, threads=1
    )
    print(f"    {silence}")
    found = {"model": silence.everybody(likely), "as those who answer": likely}
    found["taught the truth of all"] = fit(company, company.true, learned).predict_proba(test)
    found["taught the truth of answerers"] = fit(company, company.true, taught).predict_proba(test)
    return found


def study(silence: str, accounts: int, seeds: range, bootstrap: int) -> None:
    """Print everything about one kind of silence."""
    print(f"\n===== silence depends on {silence} =====")
    found: list[tuple[Company, dict[str, np.ndarray]]] = []
    for seed in seeds:
        print(f"  seed {seed}")
        company = make_company(accounts, seed, silence)
        found.append((company, predict(company)))
    tests = [company.test for company, _ in found]

    def pooled(values: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([value[test] for value, test in zip(values, tests, strict=True)])

    true, cutoffs = pooled([c.true for c, _ in found]), pooled([c.cutoffs for c, _ in found])
    who = pooled([np.char.add(f"{n}-", c.accounts.astype(str)) for n, (c, _) in enumerate(found)])
    answered, last = pooled([c.tier >= 0 for c, _ in found]), pooled([c.last_tier for c, _ in found])
    band = pooled([c.tier for c, _ in found])
    invited = pooled([c.ever_invited for c, _ in found])
    likely = {name: np.concatenate([made[name] for _, made in found]) for name in found[0][1]}
    taught = np.concatenate([c.tier[~c.test & (c.tier >= 0)] for c, _ in found])
    shares = np.bincount(taught, minlength=3) / len(taught)
    model = likely.pop("model")
    groups = {
        "answerers": answered,
        "silent": ~answered,
        "silent, answered before": ~answered & (last >= 0),
        "silent, never answered": ~answered & (last < 0),
        "never invited": ~invited,
    }
    evaluation = evaluate_tiers(
        true, model, accounts=who, cutoffs=cutoffs, split="temporal", classes=TIERS, last_tier=last, model="model",
        train_frequencies=shares, others=likely, groups=groups, bootstrap=bootstrap,
    )  # fmt: skip
    print_evaluation(evaluation.frame())
    own = evaluate_tiers(
        band[answered], model[answered], accounts=who[answered], cutoffs=cutoffs[answered], split="temporal", classes=TIERS,
        last_tier=last[answered], train_frequencies=shares, model="model", bootstrap=0,
    )  # fmt: skip
    print("\nanswerers, against the band that they did answer")
    print_evaluation(own.frame())
    print_calibration(band[answered], model[answered])
    print_told(true, {"model": model, "as those who answer": likely["as those who answer"]}, groups)
    print_composition("model", true, model, answered)
    print_curve(true, likely["as those who answer"], ~answered)
    print_abstention(true, model, answered)
    print_stability(true, model, who, cutoffs)


def print_evaluation(frame: pd.DataFrame) -> None:
    """Print one table a group."""
    for group, part in frame.groupby("group", sort=False):
        print(f"\n{group}: {part['rows'].iloc[0]:,} rows")
        shown = part[["scorer", *METRICS]].rename(columns=METRICS).round(3)
        if part["accuracy_low"].notna().any():
            span = part["accuracy_low"].map("{:.3f}".format) + " to " + part["accuracy_high"].map("{:.3f}".format)
            shown.insert(2, "95 %", span)
        print(shown.to_string(index=False))


def print_told(true: np.ndarray, likely: dict[str, np.ndarray], groups: dict[str, np.ndarray]) -> None:
    """Print how often each rule tells the right tier, and always telling the commonest one."""
    print("\ntold: share right, and at most one tier off")
    lines = []
    for group, mask in groups.items():
        commonest = np.bincount(true[mask]).argmax()
        rules = {}
        for name, model in likely.items():
            rules[f"{name}, median"] = tell_tiers(model[mask])
            rules[f"{name}, most probable"] = tell_tiers(model[mask], "most_probable")
        for rule, tier in {**rules, f"always {TIERS[commonest]}": np.full(mask.sum(), commonest)}.items():
            off = np.abs(tier - true[mask])
            lines.append([group, rule, (off == 0).mean(), (off <= 1).mean()])
    print(pd.DataFrame(lines, columns=["group", "told", "right", "at most 1 off"]).round(3).to_string(index=False))


def print_calibration(band: np.ndarray, model: np.ndarray) -> None:
    """Print how far probabilities lie from what was answered."""
    print("\ncalibration among answerers: error of P(tier above), and the fifth of rows surest of each tier")
    above = 1 - model.cumsum(axis=1)
    for step in range(2):
        print(f"  above {TIERS[step]}: calibration error {calibration_error(band > step, above[:, step]):.3f}")
    for tier, name in enumerate(TIERS):
        top = model[:, tier] > np.quantile(model[:, tier], 0.8)
        print(f"  surest of {name}: told {model[top, tier].mean():.3f}, happened {(band[top] == tier).mean():.3f}")


def print_composition(name: str, true: np.ndarray, model: np.ndarray, answered: np.ndarray) -> None:
    """Say how the two groups differ, and what the gap would be if they had the same mixture of true tiers."""
    right = model.argmax(axis=1) == true
    print(f"\n{name}: share of each true tier, and how often it is hit")
    lines = []
    for group, mask in (("answerers", answered), ("silent", ~answered)):
        shares = [float((true[mask] == tier).mean()) for tier in range(3)]
        hits = [float(right[mask & (true == tier)].mean()) for tier in range(3)]
        told = [float(value) for value in model[mask].mean(axis=0)]
        lines.append([group, *shares, *told, *hits])
    columns = ["rows", *(f"{kind} {tier}" for kind in ("true", "told", "hit") for tier in TIERS)]
    print(pd.DataFrame(lines, columns=columns).round(3).T.to_string(header=False))
    same = sum(lines[0][1 + tier] * lines[1][7 + tier] for tier in range(3))
    print(f"accuracy among the silent if they had the answerers' mixture of true tiers: {same:.3f}")


def tilt_for_silence(probabilities: np.ndarray, log_odds_per_tier: float) -> np.ndarray:
    """Say how the tiers of silent accounts would look if better tiers answered more readily than features show.

    With log-odds of answering a(x) + d tier, P(tier | x, silent) is proportional to P(tier | x, answered) exp(-d tier): the
    selection model of Scharfstein, Rotnitzky and Robins (1999).
    """
    tilted = probabilities * np.exp(-log_odds_per_tier * np.arange(probabilities.shape[1]))
    return tilted / tilted.sum(axis=1, keepdims=True)


def print_curve(true: np.ndarray, model: np.ndarray, silent: np.ndarray) -> None:
    """Print what assumptions about silence do to the predictions for the silent."""
    print("\nsensitivity: log-odds of answering per tier, given the features (0: silence tells nothing)")
    lines = []
    for tilt in TILTS:
        likely = tilt_for_silence(model[silent], tilt)
        frame = evaluate_tiers(
            true[silent], likely, accounts=np.arange(silent.sum()), cutoffs=np.zeros(silent.sum(), dtype=np.int64),
            split="temporal", classes=TIERS, bootstrap=0,
        ).frame()  # fmt: skip
        row = frame[frame["scorer"] == "tier model"].iloc[0]
        bias = likely.mean(axis=0) - np.bincount(true[silent], minlength=3) / silent.sum()
        lines.append([tilt, *(row[name] for name in METRICS), bias[0], bias[2]])
    columns = ["tilt", *METRICS.values(), "bias of P(detractor)", "bias of P(promoter)"]
    print(pd.DataFrame(lines, columns=columns).round(3).to_string(index=False))


def print_abstention(true: np.ndarray, model: np.ndarray, answered: np.ndarray) -> None:
    """Print how many tiers are told, and how many of them are right, by the threshold."""
    print("\nabstention: share of rows that are told a tier, and its accuracy")
    lines = []
    for below in (0.0, 0.4, 0.45, 0.5, 0.6):
        told = choose_tiers(model, abstain_below=below)
        line: list[float] = [below]
        for mask in (answered, ~answered):
            known = mask & (told >= 0)
            line += [known.sum() / mask.sum(), (told == true)[known].mean()]
        lines.append(line)
    columns = ["abstain_below", "answerers told", "right", "silent told", "right "]
    print(pd.DataFrame(lines, columns=columns).round(3).to_string(index=False))


def print_stability(true: np.ndarray, model: np.ndarray, who: np.ndarray, cutoffs: np.ndarray) -> None:
    """Print how often the told tier changes from one cutoff to the next, by the margin."""
    print("\nstability over the test cutoffs, 30 days apart: share of tiers that change, and accuracy at the last cutoff")
    keyed = pd.DataFrame({"who": who, "cutoff": cutoffs, "row": np.arange(len(who))})
    wide = keyed.pivot_table(index="who", columns="cutoff", values="row")
    kept = wide.dropna().to_numpy(dtype=np.int64)
    moved_truly = float(np.mean([(true[kept[:, n]] != true[kept[:, n - 1]]).mean() for n in range(1, kept.shape[1])]))
    lines = []
    for margin in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3):
        tier = choose_tiers(model[kept[:, 0]])
        changed = []
        for number in range(1, kept.shape[1]):
            now = choose_tiers(model[kept[:, number]], tier, margin=margin)
            changed.append((now != tier).mean())
            tier = now
        lines.append([margin, float(np.mean(changed)), (tier == true[kept[:, -1]]).mean()])
    print(pd.DataFrame(lines, columns=["margin", "changed", "accuracy"]).round(3).to_string(index=False))
    print(f"the true tier changes for {moved_truly:.1%}")


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small company of each kind")
    parser.add_argument("--accounts", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=4, help="how many companies of each kind")
    parser.add_argument("--first-seed", type=int, default=40)
    parser.add_argument("--bootstrap", type=int, default=200)
    parser.add_argument("--noise", type=float, default=PARAMETERS.nps_noise)
    asked = parser.parse_args()
    accounts, seeds, bootstrap = (500, 1, 50) if asked.quick else (asked.accounts, asked.seeds, asked.bootstrap)
    print(f"{seeds} simulated companies of {accounts} accounts for each kind of silence")
    noisy = replace(PARAMETERS, nps_noise=asked.noise)
    with mock.patch("staypower.simulation.company.PARAMETERS", noisy):
        for silence in ("features", "attitude"):
            study(silence, accounts, range(asked.first_seed, asked.first_seed + seeds), bootstrap)


if __name__ == "__main__":
    main()
