"""From rounds to medians, ratios, the judgement of each goal, a table and a plot."""
import html
import os
import pathlib
import platform
import statistics

METRICS = {"rate": "per second", "cpu_us": "CPU µs each", "p50_us": "p50 µs", "p99_us": "p99 µs", "event_ms": "event ms", "sold_out_p99_ms": "sold-out p99 ms",
           "walletd_mib": "walletd MiB", "discountd_mib": "discountd MiB", "start_ms": "start ms", "made_ms": "ms to make", "export_s": "s to export"}
NGINX = "nginx `return 200`"
README_BEGIN, README_END = "<!-- written by bench/run --publish -->", "<!-- end -->"


def flatten(measured):
    flat = {name: measured.get(name) for name in METRICS}
    for name in ("p50_us", "p99_us"):
        flat[name] = measured.get("all", {}).get(name)
    return {name: value for name, value in flat.items() if value is not None}


def medians(rounds):
    """{contestant: [measurement, …]} → {contestant: {metric: median}}"""
    result = {}
    for contestant, measured in rounds.items():
        flat = [flatten(one) for one in measured]
        result[contestant] = {name: statistics.median(one[name] for one in flat) for name in METRICS if all(name in one for one in flat)}
    return result


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    kib = int(next(line.split()[1] for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")))
    return f"{os.cpu_count()} × {model}, {kib / 1024 / 1024:.0f} GiB, Linux {platform.release()}"


# ---- the goals ----

def judge(results):
    """[(goal, wanted, found, reached)] of the cases that were measured."""
    rows = []

    def value(case, contestant, metric):
        return results.get(case, {}).get(contestant, {}).get(metric)

    def add(goal, found, limit, at_most, unit):
        if found is not None:
            rows.append((goal, f"{'at most' if at_most else 'at least'} {limit:.4g}{unit}", f"{found:.4g}{unit}", found <= limit if at_most else found >= limit))

    def ratio(a, b):
        return None if a is None or not b else a / b

    add("sold out, token known: CPU against nginx", ratio(value("sold-out", "sold out, token known", "cpu_us"), value("sold-out", NGINX, "cpu_us")), 1.25, True, " ×")
    add("sold out, a new key each, against none", ratio(value("sold-out", "sold out, token known, a new key each", "rate"), value("sold-out", "sold out, token known", "rate")), 0.9, False, " ×")
    check = value("sold-out", "RSA-2048 check alone (openssl)", "cpu_us")
    if check is not None:
        add("sold out, token new: CPU", value("sold-out", "sold out, token new", "cpu_us"), check + 7, True, " µs")
    add("balance: CPU against nginx", ratio(value("balance", "balance", "cpu_us"), value("balance", NGINX, "cpu_us")), 1.6, True, " ×")
    for connections in (64, 512, 4096):
        ours = value("win", f"redemption, {connections} connections", "rate")
        theirs = value("win", f"Redis Lua, appendfsync always, {connections} connections", "rate")
        add(f"redemptions a second against Redis, {connections} connections", ratio(ours, theirs), 1, False, " ×")
    add("redemptions a second against PostgreSQL's hot row, 64 clients",
        ratio(value("win", "redemption, 64 connections", "rate"), value("win", "PostgreSQL hot row, 64 clients", "rate")), 10, False, " ×")
    sync = value("win", "one fdatasync", "p50_us")
    if sync is not None:
        add("redemption on one connection: p50", value("win", "redemption, 1 connections", "p50_us"), 3 * sync + 300, True, " µs")
    the_event = "the event: 1,000 places, 4,096 connections"
    add("the event: from the 1,000th arrival to the last credit", value("event", the_event, "event_ms"), 50, True, " ms")
    add("the event: p99 of sold-out answers, token new", value("event", the_event, "sold_out_p99_ms"), 35, True, " ms")
    known_p99_us = value("event", "sold out, token known, 4,096 connections", "p99_us")
    add("sold-out answers on 4,096 connections, token known: p99", None if known_p99_us is None else known_p99_us / 1000, 35, True, " ms")
    for what in ("balance", "transactions", "redemption"):
        add(f"growth: {what}", ratio(value("growth", f"{what}, big database", "rate"), value("growth", f"{what}, small database", "rate")), 0.8, False, " ×")
    for form in ("JSON", "CSV"):
        add(f"entries of a statement a second, {form}", value("statement", f"entries of a statement, {form}", "rate"), 200_000, False, "")
        add(f"walletd behind a statement, {form}", value("statement", f"entries of a statement, {form}", "walletd_mib"), 64, True, " MiB")
    for kind in ("mistyped", "revoked", "unknown"):
        add(f"a code that is {kind}: CPU against a sold-out answer", ratio(value("codes", f"a code that is {kind}", "cpu_us"), value("codes", "sold out, beside codes", "cpu_us")), 1.1, True, " ×")
    add("a redemption with a code of one's own: CPU against the shared one",
        ratio(value("codes", "redemption, a code of one's own", "cpu_us"), value("codes", "redemption, the shared code", "cpu_us")), 1.25, True, " ×")
    for metric, goal, limit, unit in (("made_ms", "made in", 100, " ms"), ("export_s", "exported in", 20, " s"), ("discountd_mib", "discountd behind the export", 32, " MiB")):
        add(f"a million codes: {goal}", value("batch", "a million codes", metric), limit, True, unit)
    for what, name in (("a credit", "credits one by one"), ("a redemption", "redemption")):
        add(f"{what}: CPU against the version before", ratio(value("before", name, "cpu_us"), value("before", f"{name}, before", "cpu_us")), 1.05, True, " ×")
    add("verify of the big database: memory", value("verify", "transfers proven by verify", "walletd_mib"), 256, True, " MiB")
    add("start with the big database", value("start", "walletd start, big database", "start_ms"), 1000, True, " ms")
    for service in ("walletd", "discountd"):
        for state in ("idle", "busy"):
            add(f"{service}, 10,000 {state} connections", value("memory", f"memory, 10,000 {state} connections", f"{service}_mib"), 64, True, " MiB")
    add("redemptions beside logins", ratio(value("logins", "redemptions beside logins", "rate"), value("logins", "redemptions alone", "rate")), 0.8, False, " ×")
    add("redemptions while 200 listen", ratio(value("listeners", "redemptions, 200 listen to their events", "rate"), value("listeners", "redemptions, nobody listens", "rate")), 0.9, False, " ×")
    add("a login in a storm of 1,500, against one alone: p50", ratio(value("storm", "login in a storm of 1,500", "p50_us"), value("storm", "login alone", "p50_us")), 3, True, " ×")
    for kind in ("idle", "bodies", "unread"):
        add(f"p99 beside a stranger: {kind}", ratio(value("strangers", f"a new client, beside a stranger's {kind}", "p99_us"), value("strangers", "a new client, alone", "p99_us")),
            2, True, " ×")
    return rows


# ---- the table ----

def short(number):
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def goals(results):
    rows = [f"| {goal} | {wanted} | {found} | {'reached' if reached else 'not yet'} |" for goal, wanted, found, reached in judge(results)]
    return ["| goal | wanted | found | |", "| --- | ---: | ---: | --- |", *rows]


def origin(facts):
    return (f"Measured by `bench/run` on {machine()}: medians of {facts['rounds']} rounds, A B A B."
            + (f" Big database: {facts['big_transfers']:,} transfers; small: {facts['small_transfers']:,}." if facts["big_transfers"] else ""))


def markdown(results, facts):
    lines = [origin(facts), "", *goals(results), "", "| case | measured | result |", "| --- | --- | --- |"]
    for case, contestants in results.items():
        for contestant, measured in contestants.items():
            lines.append(f"| {case} | {contestant} | {', '.join(f'{short(number)} {METRICS[name]}' for name, number in measured.items())} |")
    return "\n".join(lines) + "\n"


def publish(root, results, facts):
    """The page, the plot, and the table between the README's two marks."""
    (root / "docs" / "bench.md").write_text(markdown(results, facts))
    (root / "docs" / "bench.svg").write_text(svg(results))
    readme = root / "README.md"
    before, rest = readme.read_text().split(README_BEGIN)
    _, after = rest.split(README_END)
    readme.write_text("\n".join([before + README_BEGIN, origin(facts), "", *goals(results), README_END + after]))


# ---- the plot ----

PANELS = [("CPU time per request, µs (shorter is better)", "cpu_us",
           [("floor", NGINX, "nginx, return 200"), ("floor", "discountd /healthz", "GET /healthz"), ("sold-out", "sold out, token known", "sold out, authenticated"),
            ("balance", "balance", "balance, authenticated")]),
          ("Winners a second, durable (longer is better)", "rate",
           [("win", "PostgreSQL hot row, 8 clients", "PostgreSQL, 8 clients"), ("win", "PostgreSQL hot row, 64 clients", "PostgreSQL, 64 clients"),
            ("win", "Redis Lua, appendfsync always, 64 connections", "Redis Lua, fsync always, 64"), ("win", "redemption, 64 connections", "Hamyan: HTTP, JWT, both services, 64"),
            ("win", "Redis Lua, appendfsync always, 512 connections", "Redis Lua, fsync always, 512"),
            ("win", "redemption, 512 connections", "Hamyan: HTTP, JWT, both services, 512")])]
WIDTH, LABEL, BAR, ROW = 860, 290, 470, 26


def svg(results):
    """Bars, ours in colour. Written by hand: a plot of ten bars needs no library."""
    parts, y = [], 10
    for title, metric, bars in PANELS:
        found = [(label, results.get(case, {}).get(contestant, {}).get(metric)) for case, contestant, label in bars]
        found = [(label, number) for label, number in found if number is not None]
        if not found:
            continue
        most = max(number for _, number in found)
        parts.append(f'<text x="10" y="{y + 18}" class="title">{html.escape(title)}</text>')
        y += 32
        for label, number in found:
            is_theirs = label.startswith(("nginx", "Redis", "PostgreSQL"))
            width = max(1, BAR * number / most)
            parts.append(f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{html.escape(label)}</text>')
            parts.append(f'<rect x="{LABEL}" y="{y + 2}" width="{width:.0f}" height="{ROW - 8}" fill="{"#9aa5b1" if is_theirs else "#0b7285"}"/>')
            parts.append(f'<text x="{LABEL + width + 6:.0f}" y="{y + 15}">{short(number)}</text>')
            y += ROW
        y += 14
    parts.append(f'<text x="10" y="{y + 10}" class="small">{html.escape(machine())}</text>')
    style = "text{font:13px sans-serif;fill:#212529}.title{font-weight:bold}.small{font-size:11px;fill:#5c6770}"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 22}" viewBox="0 0 {WIDTH} {y + 22}"><style>{style}</style>'
            f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n')
