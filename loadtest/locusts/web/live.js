// Draws goodput, stock and line in the tab of Locust's web UI, or alone on its own page. Nothing of the document is
// ever written as HTML: names of sales and SKUs are text.
"use strict";
(() => {
  const root = document.getElementById("floodgate");
  const tab = root.dataset.tab;
  const SVG = "http://www.w3.org/2000/svg";

  const make = (name, words = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(words)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const both = (english, chinese) => [english, make("span", { class: "zh" }, chinese)];
  const number = (value) => (value === null || value === undefined ? "–" : Math.round(value * 10) / 10).toLocaleString("en");

  const spark = (series, label) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 48");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    const known = series.map((value, n) => [n, value]).filter(([, value]) => value !== null);
    if (known.length > 1) {
      const top = Math.max(1, ...known.map(([, value]) => value));
      const x = (n) => ((n / (series.length - 1)) * 100).toFixed(2);
      const y = (value) => (46 - (value / top) * 44).toFixed(2);
      const points = known.map(([n, value]) => `${x(n)},${y(value)}`).join("L");
      for (const [kind, d] of [["area", `M${x(known[0][0])},46L${points}L${x(known.at(-1)[0])},46Z`], ["", `M${points}`]]) {
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("class", kind);
        path.setAttribute("d", d);
        svg.append(path);
      }
    }
    return svg;
  };

  const card = (title, chinese, big, series, foot) =>
    make("div", { class: "card" },
      make("p", {}, make("span", {}, ...both(title, chinese))),
      make("p", { class: "big" }, big),
      ...(series ? [spark(series, `${title}, the last two minutes`)] : []),
      make("p", { class: "foot" }, ...foot.map((text) => make("span", {}, text))));

  const head = (live) => {
    const busiest = Math.max(0, ...live.generators.map((one) => one.cpu_share));
    const late = Math.max(0, ...live.generators.map((one) => one.lag_ms));
    return make("div", { class: "head" },
      make("b", {}, live.sale || "—", ...(live.phase ? [" · " + live.phase] : [])),
      make("span", {}, `${live.story} ${live.story_zh}`),
      make("span", {}, `${number(live.people.came)} came 已到`),
      make("span", { class: live.people.missed ? "bad" : "" }, `${number(live.people.missed)} missed 未发出`),
      make("span", { class: live.people.outages ? "bad" : "" }, `${number(live.people.outages)} outages 故障`),
      ...(live.generators.length
        ? [make("span", { class: busiest > 0.8 ? "bad" : "" },
            `generator 压测端 ${Math.round(busiest * 100)} % of a core, ${number(late)} ms late`)]
        : []));
  };

  const stock = (live) => {
    if (!live.stock.length) {
      const bands = Object.entries(live.bands).map(([sku, band]) => `${sku}: ${band}`).join("   ");
      return make("p", { class: "none" }, bands || "Not known: give --admin and --admin-key. 未知");
    }
    return make("div", { class: "stock" }, ...live.stock.map((row) => {
      const all = Math.max(1, row.free + row.held + row.sold);
      const words = `${row.free} free, ${row.held} held, ${row.sold} sold`;
      const bar = make("div", { class: "bar", role: "img", "aria-label": `${row.sku}: ${words}` });
      for (const kind of ["sold", "held", "free"]) {
        const part = make("i", { class: kind });
        part.style.width = `${(row[kind] / all) * 100}%`;
        bar.append(part);
      }
      return make("div", { class: "sku" }, make("span", {}, row.sku), bar,
        make("span", { class: "numbers" }, `${number(row.free)} / ${number(row.held)} / ${number(row.sold)}`));
    }));
  };

  const key = () => make("p", { class: "key" }, ...[["free", "free 可售"], ["held", "held 锁定"], ["sold", "sold 已售"]]
    .map(([kind, text]) => make("span", {}, make("i", { class: kind }), text)));

  const draw = (live) => {
    const line = live.line;
    const parts = [head(live)];
    if (live.summary.length) {
      parts.push(make("div", { class: live.well ? "verdict" : "verdict bad" }, live.summary.join("\n")));
    }
    parts.push(
      make("h2", {}, ...both("Goodput a second, by kind", "每秒有效结果")),
      make("div", { class: "grid" }, ...live.goodput.map((one) =>
        card(one.title, one.title_zh, number(one.now), one.series,
          [`peak 峰值 ${number(one.peak)}`, `all 合计 ${number(one.total)}`]))),
      make("h2", {}, ...both("Stock", "库存")), key(), stock(live),
      make("h2", {}, ...both("Line", "队列")),
      make("div", { class: "grid" },
        card("Waiting", "等待", number(line.waiting), line.series, ["people not called yet 尚未叫号"]),
        card("Called", "已叫号", number(line.called), null, ["positions so far 累计名次"]),
        card("Rate", "放行速度", number(line.rate_per_s), null, ["people a second 人/秒"])));
    root.replaceChildren(...parts);
  };

  const isShown = () => {
    if (!tab) return true;
    const chosen = document.querySelector('[role="tab"][aria-selected="true"]');
    return chosen !== null && chosen.textContent.includes(tab);
  };

  // The tab has a table of the same numbers, for a Locust whose pages look different one day; ours takes its place.
  const settle = () => {
    const table = document.querySelector("#root .MuiTableContainer-root");
    if (!tab || !table) return;
    if (root.previousElementSibling !== table) table.after(root);
    table.style.display = "none";
  };

  const isDark = () => {
    const back = getComputedStyle(document.body).backgroundColor.match(/\d+/g);
    return tab ? Boolean(back) && Number(back[3] ?? 1) > 0 && back.slice(0, 3).reduce((sum, one) => sum + Number(one), 0) < 384
      : matchMedia("(prefers-color-scheme: dark)").matches;
  };

  const show = () => {
    root.hidden = !isShown();
    if (!root.hidden) settle();
    root.classList.toggle("dark", isDark());
  };

  const refresh = async () => {
    show();
    if (!root.hidden) {
      try {
        const answer = await fetch("./floodgate/live");
        if (answer.ok) draw(await answer.json());
      } catch { /* Locust has ended; the last picture stays. */ }
    }
    setTimeout(refresh, 1000);
  };

  setInterval(show, 150);
  refresh();
})();
