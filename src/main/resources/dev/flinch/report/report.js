"use strict";
// The page of report.html: reads its columns, draws, filters, ranks. Rows are numbers 0 … n − 1.
(() => {
  const DRAWN = 20000; // points of a chart before it draws a sample
  const LISTED = 200; // rows of a table
  const CHIPS = 12; // numbers with more values are filtered by a range
  const COLOURS = 6; // classes of colour
  const LAYERS = 8; // of points in a scatter chart
  const LARGE = 2000; // points of a chart that are drawn all in one; ECharts fails where a large series is empty
  const ERROR_BARS = 500; // points that still have error bars

  const LABELS = {
    gap: "generalization gap",
    jacobian_norm: "mean Jacobian norm",
    jacobian_norm_error: "standard error of the Jacobian norm",
    logit_jacobian_norm: "mean Jacobian norm of logits",
    parameters: "weights",
    train_images: "train images",
    transitions_per_layer: "transitions of each layer",
  };
  const LOGARITHMIC = new Set(["jacobian_norm", "transitions", "parameters"]);
  const FLAGS = new Set(["biases"]);

  // Okabe and Ito (2008), as in figures; then greys for the rest.
  const DISTINCT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
  const REST = "#8f9296";
  // Viridis (Smith and van der Walt, 2015), for what has an order.
  const ORDERED = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c",
    "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];

  const summary = JSON.parse(document.getElementById("summary").textContent);
  const n = summary.networks;
  const columns = new Map();

  // ---- Small things ----

  const byId = (id) => document.getElementById(id);

  /** An element; texts become text, never markup. */
  function el(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "on") {
        for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
      } else if (name === "style") {
        Object.assign(element.style, value);
      } else if (name in element && name !== "list") {
        element[name] = value;
      } else {
        element.setAttribute(name, value);
      }
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  const label = (name) => LABELS[name] || name.replaceAll("_", " ");
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const whole = (number) => number.toLocaleString("en-US");
  const networks = (number) => `${whole(number)} ${number === 1 ? "network" : "networks"}`;

  /** Four digits. */
  function decimal(value) {
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e15) return whole(value);
    if (size >= 1e-3 && size < 1e6) {
      return size >= 1000 ? whole(Math.round(value)) : String(+value.toPrecision(4));
    }
    return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  }

  function shownValue(column, value) {
    if (value === null) return "none";
    if (FLAGS.has(column.name)) return value ? "yes" : "no";
    if (column.name === "seed") return String(value);
    return typeof value === "number" ? decimal(value) : value;
  }

  const signed = (value) => (value <= -0.005 ? "−" : "") + Math.abs(value).toFixed(2);
  const power = (value) => {
    const exponent = Math.round(Math.log10(value));
    if (exponent >= 0 && exponent < 4) return String(10 ** exponent);
    return "10" + String(exponent).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
  };

  // ---- Columns ----

  class Column {
    constructor(about) {
      Object.assign(this, about);
      this.label = label(this.name);
    }

    load() {
      this.loading ||= unpack(this.name).then((json) => {
        if (json.skeletons) this.templates = new Templates(json);
        this.dictionary = json.dictionary;
        this.index = json.index && Int32Array.from(json.index);
        this.values = json.values;
      });
      return this.loading;
    }

    at(row) {
      if (this.templates) return this.templates.at(row);
      if (this.values) return this.values[row];
      const place = this.index[row];
      return place < 0 ? null : this.dictionary[place];
    }

    text(row) {
      return shownValue(this, this.at(row));
    }

    /** NaN for none. */
    numbers() {
      if (!this.asNumbers) {
        this.asNumbers = new Float64Array(n);
        for (let row = 0; row < n; row++) {
          const value = this.at(row);
          this.asNumbers[row] = value === null ? NaN : value + 0;
        }
      }
      return this.asNumbers;
    }

    /** Distinct values, ascending, and each row's place among them, −1 for none. */
    codes() {
      if (!this.asCodes) {
        let { dictionary, index } = this;
        if (!dictionary) {
          const distinct = new Set(this.values);
          distinct.delete(null);
          dictionary = [...distinct];
          dictionary.sort(this.kind === "text" ? undefined : (a, b) => a - b);
          const places = new Map(dictionary.map((value, place) => [value, place]));
          index = Int32Array.from(this.values, (value) => (value === null ? -1 : places.get(value)));
        }
        const counts = new Int32Array(dictionary.length + 1);
        for (const place of index) counts[place < 0 ? dictionary.length : place]++;
        this.asCodes = { dictionary, index, counts };
      }
      return this.asCodes;
    }

    /** Whether networks differ in it; none counts as a value. */
    varies() {
      const { counts } = this.codes();
      return counts.reduce((kinds, count) => kinds + (count > 0 ? 1 : 0), 0) > 1;
    }

    /** Rows in ascending order, those without a value last. */
    order() {
      if (!this.ascending) {
        const values = this.kind === "text"
          ? Float64Array.from(this.codes().index, (place) => (place < 0 ? NaN : place))
          : this.numbers();
        this.ascending = orderOf(values);
      }
      return this.ascending;
    }
  }

  /** Texts of alike structure: see TextTemplates.java. */
  class Templates {
    constructor(json) {
      Object.assign(this, json);
      const seen = this.skeletons.map(() => 0);
      this.place = Int32Array.from(this.skeleton, (which) => (which < 0 ? -1 : seen[which]++));
    }

    at(row) {
      const which = this.skeleton[row];
      if (which < 0) return null;
      const slots = this.slots[which].map(
        ([dictionary, index]) => dictionary[index ? index[this.place[row]] : 0]);
      return this.skeletons[which].map((piece, i) => piece + (slots[i] ?? "")).join("");
    }
  }

  async function unpack(name) {
    const element = document.querySelector(`script[data-name="${name}"]`);
    const text = atob(element.textContent);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    element.remove();
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  // ---- Order and rank correlation ----

  /** Rows by ascending value, NaN last; equal ones as they stood. A radix sort by the bits. */
  function orderOf(values, before) {
    const bits = new Uint32Array(new Float64Array(values).buffer);
    const keys = [new Uint32Array(n), new Uint32Array(n)];
    for (let row = 0; row < n; row++) {
      const number = values[row] === values[row];
      const low = bits[2 * row];
      const high = bits[2 * row + 1];
      const negative = high >>> 31;
      keys[0][row] = number ? (negative ? ~low : low) : 0xffffffff;
      keys[1][row] = number ? (negative ? ~high : high | 0x80000000) : 0xffffffff;
    }
    let from = before ? Int32Array.from(before) : Int32Array.from({ length: n }, (_, row) => row);
    let to = new Int32Array(n);
    for (let pass = 0; pass < 4; pass++) {
      const key = keys[pass >> 1];
      const shift = 16 * (pass & 1);
      const starts = new Int32Array(65537);
      for (let row = 0; row < n; row++) starts[((key[row] >>> shift) & 0xffff) + 1]++;
      for (let i = 0; i < 65536; i++) starts[i + 1] += starts[i];
      for (const row of from) to[starts[(key[row] >>> shift) & 0xffff]++] = row;
      [from, to] = [to, from];
    }
    return from;
  }

  /** Calls back with the bounds of each run of equal values. */
  function runs(rows, values, found) {
    for (let from = 0, to; from < rows.length; from = to) {
      to = from + 1;
      while (to < rows.length && values[rows[to]] === values[rows[from]]) to++;
      found(from, to);
    }
  }

  const couples = (count) => (count * (count - 1)) / 2;

  /** Kendall's τ_b by Knight's algorithm, and Spearman's ρ, of the gap with a measure. */
  function correlate(measure, shown) {
    const x = measure.numbers();
    const y = columns.get("gap").numbers();
    const gapOrder = columns.get("gap").order();
    measure.orderWithGap ||= orderOf(x, gapOrder);
    const has = (row) => shown[row] && x[row] === x[row] && y[row] === y[row];
    const byX = measure.orderWithGap.filter(has);
    const byY = gapOrder.filter(has);
    const count = byX.length;

    let [tiedInX, tiedInY, tiedInBoth] = [0, 0, 0];
    let [squaresX, squaresY, products] = [0, 0, 0];
    const deviation = new Float64Array(n);
    const rank = new Int32Array(n);
    runs(byY, y, (from, to) => {
      tiedInY += couples(to - from);
      squaresY += (from + to - count) ** 2 * (to - from);
      for (let i = from; i < to; i++) {
        deviation[byY[i]] = from + to - count;
        rank[byY[i]] = from;
      }
    });
    runs(byX, x, (from, to) => {
      tiedInX += couples(to - from);
      squaresX += (from + to - count) ** 2 * (to - from);
      for (let i = from; i < to; i++) products += (from + to - count) * deviation[byX[i]];
      runs(byX.subarray(from, to), y, (first, last) => { tiedInBoth += couples(last - first); });
    });
    const discordant = exchanges(Int32Array.from(byX, (row) => rank[row]));
    const all = couples(count);
    return {
      networks: count,
      tau: (all - tiedInX - tiedInY + tiedInBoth - 2 * discordant)
        / Math.sqrt((all - tiedInX) * (all - tiedInY)),
      rho: products / Math.sqrt(squaresX * squaresY),
    };
  }

  /** How many pairs a merge sort turns round. */
  function exchanges(values) {
    let from = values;
    let to = new Int32Array(values.length);
    let count = 0;
    for (let width = 1; width < values.length; width *= 2) {
      for (let start = 0; start < values.length; start += 2 * width) {
        const middle = Math.min(values.length, start + width);
        const end = Math.min(values.length, start + 2 * width);
        for (let left = start, right = middle, out = start; out < end; out++) {
          if (right === end || (left < middle && from[left] <= from[right])) {
            to[out] = from[left++];
          } else {
            count += middle - left;
            to[out] = from[right++];
          }
        }
      }
      [from, to] = [to, from];
    }
    return count;
  }

  // ---- What is chosen ----

  const state = {
    filters: [],
    mask: new Uint8Array(n).fill(1),
    shown: 0,
    classes: null,
    sort: null,
    descending: false,
    statistic: "tau",
    open: -1,
  };
  let varied = []; // factors that differ
  let pairs = null;

  // ---- Filters ----

  function buildFilters() {
    const list = byId("filter-list");
    const accuracy = columns.get("train_accuracy");
    if (accuracy && accuracy.numbers().some((value) => value < 1)) {
      const box = el("input", { type: "checkbox", id: "accurate" });
      const filter = { passes: (row) => accuracy.asNumbers[row] === 1, active: () => box.checked };
      box.addEventListener("change", refresh);
      filter.reset = () => { box.checked = false; };
      state.filters.push(filter);
      list.append(el("fieldset", {}, el("label", { className: "check" }, box,
        el("span", {}, "only 100% train accuracy"))));
    }
    for (const name of ["status", "outcome"]) {
      const column = columns.get(name);
      if (column && column.varies()) list.append(chips(column));
    }
    for (const column of varied) {
      const many = column.kind !== "text" && column.codes().dictionary.length > CHIPS;
      list.append(many ? range(column) : chips(column));
    }
  }

  function chips(column) {
    const { dictionary, index, counts } = column.codes();
    const none = dictionary.length;
    const allowed = new Uint8Array(none + 1).fill(1);
    const code = (row) => (index[row] < 0 ? none : index[row]);
    const filter = {
      passes: (row) => allowed[code(row)] === 1,
      active: () => allowed.some((value) => value === 0),
      tally: new Int32Array(none + 1),
      code,
      reset: () => { allowed.fill(1); for (const chip of made) chip.box.checked = true; },
    };
    const made = [];
    for (let place = 0; place <= none; place++) {
      if (counts[place] === 0) continue;
      const box = el("input", { type: "checkbox", checked: true, value: String(place) });
      const tally = el("small", {});
      box.addEventListener("change", () => {
        // From everything, the first click singles a value out; further ones add and remove.
        if (allowed.every((value) => value === 1) && !box.checked) {
          allowed.fill(0);
          allowed[place] = 1;
        } else {
          allowed[place] = box.checked ? 1 : 0;
          if (made.every((chip) => !allowed[chip.place])) allowed.fill(1);
        }
        for (const chip of made) chip.box.checked = allowed[chip.place] === 1;
        refresh();
      });
      made.push({ box, tally, place });
    }
    filter.count = () => { for (const chip of made) chip.tally.textContent = whole(filter.tally[chip.place]); };
    state.filters.push(filter);
    return el("fieldset", { title: column.meaning, "data-column": column.name },
      el("legend", {}, capital(column.label)),
      el("div", { className: "chips" }, ...made.map((chip) => el("label", { className: "chip" }, chip.box,
        el("span", {}, shownValue(column, chip.place === none ? null : dictionary[chip.place]), chip.tally)))));
  }

  function range(column) {
    const values = column.numbers();
    const { dictionary } = column.codes();
    const bounds = [-Infinity, Infinity];
    const inputs = ["least", "greatest"].map((word, side) => {
      const extreme = dictionary[side === 0 ? 0 : dictionary.length - 1];
      const input = el("input", {
        type: "text", inputMode: "decimal", "aria-label": `${word} ${column.label}`,
        placeholder: shownValue(column, extreme),
      });
      input.addEventListener("input", () => {
        const number = input.value.trim() === "" ? NaN : Number(input.value.replace("−", "-"));
        const wrong = input.value.trim() !== "" && Number.isNaN(number);
        input.setCustomValidity(wrong ? "expected a number, such as 0.01 or 1e-2" : "");
        if (wrong) input.reportValidity();
        bounds[side] = Number.isNaN(number) ? (side === 0 ? -Infinity : Infinity) : number;
        refreshSoon();
      });
      return input;
    });
    const active = () => bounds[0] > -Infinity || bounds[1] < Infinity;
    state.filters.push({
      passes: (row) => values[row] >= bounds[0] && values[row] <= bounds[1],
      active,
      reset: () => {
        bounds[0] = -Infinity;
        bounds[1] = Infinity;
        for (const input of inputs) { input.value = ""; input.setCustomValidity(""); }
      },
    });
    return el("fieldset", { title: column.meaning, "data-column": column.name },
      el("legend", {}, capital(column.label)),
      el("div", { className: "range" }, inputs[0], "to", inputs[1]));
  }

  /** Which rows pass; and of each value, how many would pass the other filters. */
  function filter() {
    const failures = new Uint8Array(n);
    const last = new Uint8Array(n);
    state.filters.forEach((one, number) => {
      if (one.tally) one.tally.fill(0);
      if (!one.active()) return;
      for (let row = 0; row < n; row++) {
        if (!one.passes(row)) {
          failures[row]++;
          last[row] = number;
        }
      }
    });
    state.shown = 0;
    for (let row = 0; row < n; row++) {
      state.mask[row] = failures[row] === 0 ? 1 : 0;
      state.shown += state.mask[row];
    }
    state.filters.forEach((one, number) => {
      if (!one.tally) return;
      for (let row = 0; row < n; row++) {
        if (failures[row] === 0 || (failures[row] === 1 && last[row] === number)) one.tally[one.code(row)]++;
      }
      one.count();
    });
  }

  let waiting = 0;
  function refreshSoon() {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 250);
  }

  function refresh() {
    filter();
    byId("count").replaceChildren(el("strong", {}, whole(state.shown)),
      state.shown === n ? (n === 1 ? "network" : "networks") : `of ${networks(n)}`);
    drawScatters();
    drawPairs();
    fillCorrelations();
    fillTable();
  }

  // ---- Colours ----

  const dark = matchMedia("(prefers-color-scheme: dark)");
  let printing = false;

  function theme() {
    return dark.matches && !printing
      ? { ink: "#e6e6e3", quiet: "#a2a5a9", line: "#363a40", paper: "#1d2024", accent: "#56b4e9" }
      : { ink: "#262626", quiet: "#6b6b6b", line: "#e4e4e0", paper: "#ffffff", accent: "#0072b2" };
  }

  /** Colours of an ordered scale that stand out from the paper. */
  function ordered(count) {
    const [from, to] = dark.matches && !printing ? [3, 10] : [0, 8.5];
    return Array.from({ length: count }, (_, i) => {
      const at = count === 1 ? 4 : from + ((to - from) * i) / (count - 1);
      const part = (colour, c) => parseInt(colour.slice(1 + 2 * c, 3 + 2 * c), 16);
      const mixed = [0, 1, 2].map((c) => Math.round(
        part(ORDERED[Math.floor(at)], c) * (1 - (at % 1)) + part(ORDERED[Math.ceil(at)], c) * (at % 1)));
      return `rgb(${mixed})`;
    });
  }

  /** Classes of colour by a column: their labels, their colours, and each row's. */
  function classesBy(column) {
    if (!column) return { labels: [""], colours: [theme().accent], of: new Uint8Array(n) };
    const { dictionary, index, counts } = column.codes();
    const classOf = new Uint8Array(dictionary.length + 1);
    let labels;
    let colours;
    if (column.kind === "text" || FLAGS.has(column.name)) {
      const places = dictionary.map((_, place) => place);
      const kept = new Set([...places].sort((a, b) => counts[b] - counts[a])
        .slice(0, dictionary.length > COLOURS ? COLOURS - 1 : COLOURS));
      labels = places.filter((place) => kept.has(place)).map((place) => shownValue(column, dictionary[place]));
      colours = labels.map((_, i) => DISTINCT[i]);
      let next = 0;
      for (const place of places) classOf[place] = kept.has(place) ? next++ : labels.length;
      if (dictionary.length > kept.size) {
        labels.push("others");
        colours.push(DISTINCT[COLOURS - 1]);
      }
    } else {
      const count = Math.min(dictionary.length, dictionary.length <= 8 ? 8 : COLOURS);
      const all = n - counts[dictionary.length];
      const bounds = [];
      let seen = 0;
      dictionary.forEach((value, place) => {
        if (dictionary.length === count || seen * count >= all * bounds.length) bounds.push(place);
        seen += counts[place];
        classOf[place] = bounds.length - 1;
      });
      labels = bounds.map((first, i) => {
        const last = (bounds[i + 1] ?? dictionary.length) - 1;
        const [low, high] = [first, last].map((place) => shownValue(column, dictionary[place]));
        return low === high ? low : `${low} – ${high}`;
      });
      colours = ordered(labels.length);
    }
    classOf[dictionary.length] = labels.length;
    if (counts[dictionary.length] > 0) {
      labels.push("none");
      colours.push(REST);
    }
    return { labels, colours, of: Uint8Array.from(index, (place) => classOf[place < 0 ? dictionary.length : place]) };
  }

  function buildColours() {
    const choice = byId("colour");
    const measures = ["outcome", "train_accuracy", "test_accuracy", "train_loss", "gap", "jacobian_norm",
      "transitions", "parameters"].map((name) => columns.get(name)).filter((c) => c && c.varies());
    for (const [title, list] of [["Factors", varied], ["Measures", measures]]) {
      if (list.length === 0) continue;
      choice.append(el("optgroup", { label: title },
        ...list.map((column) => el("option", { value: column.name }, column.label))));
    }
    const first = ["labels", "augmentation", "activation", "optimizer", "width", "depth"]
      .find((name) => varied.includes(columns.get(name)));
    if (first) choice.value = first;
    choice.addEventListener("change", () => { recolour(); drawScatters(); drawPairs(); });
    recolour();
  }

  function recolour() {
    state.classes = classesBy(columns.get(byId("colour").value));
    byId("legend").replaceChildren(...(columns.has(byId("colour").value)
      ? state.classes.labels.map((text, i) => el("li", {},
        el("i", { style: { background: state.classes.colours[i] } }), text))
      : []));
  }

  // ---- Charts ----

  const charts = [];

  function addChart(parent, about) {
    const element = el("div", { className: "chart", role: "img", "aria-label": about.title });
    const caption = el("figcaption", {});
    parent.append(el("figure", {}, element, caption));
    const chart = echarts.init(element, null, { renderer: "canvas" });
    const made = { ...about, chart, element, caption, rows: [] };
    chart.on("click", (event) => {
      const row = rowOf(made, event);
      if (row >= 0) open(row);
    });
    new ResizeObserver(() => chart.resize()).observe(element);
    charts.push(made);
    return made;
  }

  const rowOf = (made, event) => (made.rows[event.seriesIndex] || [])[event.dataIndex] ?? -1;

  const room = { left: 62, right: 22, top: 26, bottom: 46 };

  function axis(name, logarithmic, horizontal, more) {
    const colours = theme();
    return {
      type: logarithmic ? "log" : "value",
      scale: true,
      name,
      nameLocation: "middle",
      nameGap: horizontal ? 28 : 46,
      nameTextStyle: { color: colours.ink, fontSize: 12.5 },
      axisLine: { show: true, lineStyle: { color: colours.quiet } },
      axisTick: { show: true, lineStyle: { color: colours.quiet } },
      minorTick: { show: logarithmic, splitNumber: 9, lineStyle: { color: colours.quiet } },
      splitLine: { lineStyle: { color: colours.line } },
      axisLabel: { color: colours.quiet, hideOverlap: true, formatter: logarithmic ? power : decimal },
      ...more,
    };
  }

  function common(made) {
    const colours = theme();
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      grid: room,
      tooltip: {
        trigger: "item",
        confine: true,
        backgroundColor: colours.paper,
        borderColor: colours.line,
        textStyle: { color: colours.ink },
        formatter: (event) => made.tip(event),
      },
      toolbox: {
        right: 8,
        top: -4,
        itemSize: 12,
        iconStyle: { borderColor: colours.quiet },
        feature: {
          dataZoom: { filterMode: "none", title: { zoom: "zoom in", back: "zoom out" } },
          saveAsImage: { title: "save as image", name: made.title, pixelRatio: 2, backgroundColor: colours.paper },
        },
      },
    };
  }

  const facts = (list) => el("dl", {}, ...list.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]));

  /** A network's configuration and what was measured. */
  function tip(row) {
    const measures = ["gap", "train_accuracy", "test_accuracy", "train_loss", "jacobian_norm", "transitions",
      "parameters"].map((name) => columns.get(name)).filter((column) => column && column.at(row) !== null);
    const factors = factorColumns().filter((column) => column.at(row) !== null);
    const entry = (column) => [column.label, column.text(row)];
    return el("div", { className: "tip" }, facts(factors.map(entry)), el("hr", {}), facts(measures.map(entry)));
  }

  const factorColumns = () => [...columns.values()].filter((column) => column.role === "factor");

  function buildScatters() {
    for (const name of summary.measures) {
      const column = columns.get(name);
      if (!column || !columns.has("gap")) continue;
      const made = addChart(byId("scatters"), { kind: "scatter", column, title: `gap against ${column.label}` });
      made.tip = (event) => { const row = rowOf(made, event); return row < 0 ? "" : tip(row); };
      // A loss that falls by decades is seen on decades.
      const positive = column.numbers().filter((value) => value > 0).sort();
      const span = positive.length ? positive[Math.floor(0.98 * (positive.length - 1))] / positive[Math.floor(0.02 * positive.length)] : 1;
      made.logarithmic = LOGARITHMIC.has(name) || span > 100;
    }
  }

  /** A fixed number between 0 and 1 for each row, by which samples are taken. */
  const chance = Float32Array.from({ length: n }, (_, row) => {
    let bits = Math.imul(row + 1, 0x9e3779b1);
    bits = Math.imul(bits ^ (bits >>> 15), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  });

  function drawScatters() {
    const sampled = state.shown > DRAWN;
    byId("sampled").textContent = sampled
      ? `About ${whole(DRAWN)} of ${networks(state.shown)} are drawn, chosen at random. Counts and correlations are of all.`
      : "";
    const share = sampled ? DRAWN / state.shown : 1;
    for (const made of charts.filter((one) => one.kind === "scatter")) drawScatter(made, share);
  }

  function drawScatter(made, share) {
    const x = made.column.numbers();
    const y = columns.get("gap").numbers();
    const { labels, colours, of } = state.classes;
    // Layers of some points of each class, so that no class hides the others.
    const rows = Array.from({ length: LAYERS * labels.length }, () => []);
    let [drawn, zeros] = [0, 0];
    for (let row = 0; row < n; row++) {
      if (!state.mask[row] || chance[row] >= share || x[row] !== x[row] || y[row] !== y[row]) continue;
      if (made.logarithmic && x[row] <= 0) {
        zeros++;
      } else {
        rows[Math.floor((chance[row] / share) * LAYERS) * labels.length + of[row]].push(row);
        drawn++;
      }
    }
    const size = drawn > 20000 ? 3 : drawn > 4000 ? 4 : drawn > 800 ? 6 : 9;
    const opacity = drawn > 20000 ? 0.35 : drawn > 4000 ? 0.5 : drawn > 800 ? 0.65 : 0.8;
    made.rows = [...rows, [state.open]];
    made.chart.setOption({
      ...common(made),
      xAxis: axis(made.column.label, made.logarithmic, true),
      yAxis: axis("generalization gap", false, false, { boundaryGap: ["4%", "4%"] }),
      series: [...rows.map((members, i) => ({
        type: "scatter",
        large: drawn > LARGE,
        largeThreshold: 1,
        symbolSize: size,
        itemStyle: { color: colours[i % labels.length], opacity },
        emphasis: { scale: 1.5, itemStyle: { opacity: 1 } },
        data: points(members, x, y),
      })), ring(made)],
    }, { notMerge: true });
    made.caption.textContent = zeros > 0
      ? `${networks(zeros)} with ${made.column.label} 0 not drawn on the logarithmic axis` : "";
  }

  function points(rows, x, y) {
    const flat = new Float64Array(2 * rows.length);
    rows.forEach((row, i) => {
      flat[2 * i] = x[row];
      flat[2 * i + 1] = y[row];
    });
    return flat;
  }

  /** Marks the network that is open. */
  function ring(made) {
    const [x, y] = [made.column, columns.get("gap")].map((column) => (state.open < 0 ? NaN : column.numbers()[state.open]));
    const drawn = x === x && y === y && state.mask[state.open] && !(made.logarithmic && x <= 0);
    return {
      type: "scatter",
      id: "open",
      silent: true,
      symbolSize: 16,
      itemStyle: { color: "transparent", borderColor: theme().ink, borderWidth: 2 },
      data: drawn ? [[x, y]] : [],
    };
  }

  // ---- Pairs ----

  function buildPairs() {
    if (!pairs) return;
    byId("pairs").hidden = false;
    byId("pairs-note").textContent = "Each point is a pair of settings, the mean over seeds with its standard error. "
      + "Drawn are pairs of which both networks pass the filters; on the dashed line both are equal. "
      + "Colours are those above, of the network at the bottom."
      + (summary.pairsLeftOut ? ` Left out: ${whole(summary.pairsLeftOut)} with a network that is not in this report.` : "");
    const members = summary.contrasts.map(() => []);
    pairs.contrast.forEach((contrast, pair) => members[contrast].push(pair));
    summary.contrasts.forEach((contrast, i) => {
      const grid = el("div", { className: "charts three" });
      byId("pair-list").append(el("h3", {}, `${label(contrast.name)}: ${contrast.rightLabel} against ${contrast.leftLabel}`), grid);
      for (const name of ["gap", "jacobian_norm", "transitions"]) {
        const column = columns.get(name);
        if (!column) continue;
        const made = addChart(grid, {
          kind: "pair", column, contrast, members: members[i], logarithmic: LOGARITHMIC.has(name),
          title: `${column.label}: ${contrast.rightLabel} against ${contrast.leftLabel}`,
        });
        made.tip = (event) => pairTip(made, event);
      }
    });
  }

  /** Mean and standard error over distinct networks; null without any. */
  function mean(rows, values) {
    const finite = [...rows].map((row) => values[row]).filter(Number.isFinite);
    if (finite.length === 0) return null;
    const average = finite.reduce((sum, value) => sum + value, 0) / finite.length;
    const squares = finite.reduce((sum, value) => sum + (value - average) ** 2, 0);
    const error = finite.length > 1 ? Math.sqrt(squares / (finite.length - 1) / finite.length) : 0;
    return { average, error, count: finite.length };
  }

  function drawPairs() {
    for (const made of charts.filter((one) => one.kind === "pair")) drawPair(made);
  }

  function drawPair(made) {
    const settings = new Map();
    for (const pair of made.members) {
      const [left, right] = [pairs.left[pair], pairs.right[pair]];
      if (!state.mask[left] || !state.mask[right]) continue;
      let setting = settings.get(pairs.setting[pair]);
      if (!setting) settings.set(pairs.setting[pair], (setting = { left: new Set(), right: new Set() }));
      setting.left.add(left);
      setting.right.add(right);
    }
    const values = made.column.numbers();
    const found = [];
    let zeros = 0;
    for (const { left, right } of settings.values()) {
      const [x, y] = [mean(left, values), mean(right, values)];
      if (!x || !y) continue;
      if (made.logarithmic && (x.average <= 0 || y.average <= 0)) zeros++;
      else found.push({ x, y, row: left.values().next().value });
    }
    const above = found.filter(({ x, y }) => y.average > x.average).length;
    const below = found.filter(({ x, y }) => y.average < x.average).length;
    const equal = found.length - above - below;
    made.caption.textContent = found.length === 0 ? "no pair shown"
      : `${whole(above)} above the diagonal, ${whole(below)} below${equal ? `, ${whole(equal)} on it` : ""}`
        + (zeros ? `; ${whole(zeros)} with a value of 0 not drawn` : "");

    const { labels, colours, of } = state.classes;
    const byClass = labels.map(() => []);
    for (const point of found) byClass[of[point.row]].push(point);
    made.points = byClass;
    made.rows = byClass.map((list) => list.map((point) => point.row));
    const range = extent(found.flatMap(({ x, y }) => [x, y]), made.logarithmic);
    const bars = found.length <= ERROR_BARS ? byClass.map((list, i) => errorBars(list, colours[i], range)) : [];
    const size = found.length > 4000 ? 4 : found.length > 400 ? 6 : 8;
    made.chart.setOption({
      ...common(made),
      xAxis: axis(`${made.column.label}, ${made.contrast.leftLabel}`, made.logarithmic, true, range),
      yAxis: axis(`${made.column.label}, ${made.contrast.rightLabel}`, made.logarithmic, false, range),
      series: [
        ...byClass.map((list, i) => ({
          type: "scatter",
          large: found.length > LARGE,
          largeThreshold: 1,
          symbolSize: size,
          z: 3,
          itemStyle: { color: colours[i], opacity: found.length > 400 ? 0.6 : 0.85 },
          data: Float64Array.from(list.flatMap(({ x, y }) => [x.average, y.average])),
        })),
        ...bars,
        {
          type: "line",
          silent: true,
          symbol: "none",
          z: 1,
          lineStyle: { color: theme().quiet, type: "dashed", width: 1 },
          data: range.min === undefined ? [] : [[range.min, range.min], [range.max, range.max]],
        },
      ],
    }, { notMerge: true });
  }

  /** One range for both axes, its ends on ticks. */
  function extent(estimates, logarithmic) {
    if (estimates.length === 0) return {};
    let [low, high] = [Infinity, -Infinity];
    for (const { average, error } of estimates) {
      low = Math.min(low, logarithmic && average - error <= 0 ? average : average - error);
      high = Math.max(high, average + error);
    }
    if (logarithmic) {
      const min = 10 ** Math.floor(Math.log10(low));
      return { min, max: Math.max(10 * min, 10 ** Math.ceil(Math.log10(high))) };
    }
    const rough = (high - low || 0.1) / 4;
    const decade = 10 ** Math.floor(Math.log10(rough));
    const step = decade * [1, 2, 5, 10].find((factor) => factor * decade >= rough);
    return { min: +(Math.floor(low / step) * step).toPrecision(12), max: +(Math.ceil(high / step) * step).toPrecision(12), interval: step };
  }

  function errorBars(list, colour, range) {
    return {
      type: "custom",
      silent: true,
      z: 2,
      renderItem: (_, api) => {
        const [x, y, errorX, errorY] = [0, 1, 2, 3].map((d) => api.value(d));
        const clamp = (value) => Math.min(range.max, Math.max(range.min, value));
        const line = (from, to) => ({
          type: "line",
          shape: { x1: from[0], y1: from[1], x2: to[0], y2: to[1] },
          style: { stroke: colour, lineWidth: 1, opacity: 0.6 },
        });
        return {
          type: "group",
          children: [
            line(api.coord([clamp(x - errorX), y]), api.coord([clamp(x + errorX), y])),
            line(api.coord([x, clamp(y - errorY)]), api.coord([x, clamp(y + errorY)])),
          ],
        };
      },
      data: list.map(({ x, y }) => [x.average, y.average, x.error, y.error]),
    };
  }

  function pairTip(made, event) {
    const point = (made.points[event.seriesIndex] || [])[event.dataIndex];
    if (!point) return "";
    const estimate = ({ average, error, count }) =>
      decimal(average) + (count > 1 ? ` ± ${decimal(error)} (${count} seeds)` : "");
    const own = made.contrast.name;
    const factors = varied.filter((column) => column.name !== own && label(own) !== column.label
      && column.name !== "seed" && column.at(point.row) !== null);
    return el("div", { className: "tip" },
      facts([[made.contrast.leftLabel, estimate(point.x)], [made.contrast.rightLabel, estimate(point.y)]]),
      el("hr", {}), facts(factors.map((column) => [column.label, column.text(point.row)])));
  }

  // ---- Correlations ----

  function correlationMeasures() {
    return summary.measures.map((name, i) => ({ name, i })).filter(({ name }) => columns.has(name) && columns.has("gap"));
  }

  function intervalCell([value, low, high], count, of) {
    if (value === null || Number.isNaN(value)) return el("td", { className: "interval" }, "–");
    const place = (v) => `${50 + 50 * v}%`;
    const track = el("span", { className: "track", "aria-hidden": "true" });
    if (low !== null) track.append(el("b", { style: { left: place(low), width: `${50 * (high - low)}%` } }));
    track.append(el("i", { style: { left: place(value) } }));
    return el("td", { className: "interval" }, track, signed(value),
      low === null ? null : el("span", { className: "within" }, `${signed(low)} … ${signed(high)}`),
      count === of ? null : el("span", { className: "within" }, `n ${whole(count)}`));
  }

  function fillCorrelations() {
    const measures = correlationMeasures();
    const table = byId("correlations");
    const statistic = state.statistic;
    const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "gap with"),
      el("th", { className: "number", scope: "col" }, "networks"),
      ...measures.map(({ name }) => el("th", { scope: "col" }, label(name)))));
    const body = el("tbody", {});
    const live = measures.map(({ name }) => correlate(columns.get(name), state.mask));
    state.live = Object.fromEntries(measures.map(({ name }, i) => [name, live[i]]));
    if (state.shown < n) {
      body.append(el("tr", { className: "whole", id: "live" }, el("th", { scope: "row" }, "Networks shown"),
        el("td", { className: "number" }, whole(state.shown)),
        ...live.map((one) => intervalCell([one[statistic], null, null], one.networks, state.shown))));
    }
    let factor = null;
    for (const group of summary.groups) {
      if (group.factor !== factor) {
        factor = group.factor;
        body.append(el("tr", { className: "factor" },
          el("th", { colSpan: measures.length + 2, scope: "rowgroup" }, capital(label(factor)))));
      }
      const text = factor === null ? "All networks"
        : FLAGS.has(factor) ? (group.value === "1" ? "yes" : "no") : /^\d+$/.test(group.value) && factor !== "seed" ? whole(Number(group.value)) : group.value;
      body.append(el("tr", factor === null ? { className: "whole" } : {}, el("th", { scope: "row" }, text),
        el("td", { className: "number" }, whole(group.networks)),
        ...measures.map(({ i }) => intervalCell(group.associations[i][statistic],
          group.associations[i].networks, group.networks))));
    }
    table.replaceChildren(head, body);
    byId("correlations-note").textContent =
      `Of all networks and within each value of each factor, with 95% intervals of a percentile bootstrap: `
      + `${whole(summary.resamples)} resamples, which draw settings with all their seeds. Where a resample would have more than `
      + `${whole(summary.resampleNetworks)} networks it has fewer settings, m of n, and the interval’s width is scaled by √(m/n) `
      + `(Bickel, Götze and van Zwet 1997). Correlations of the networks that filters leave are found here, without an interval.`;
  }

  // ---- Tables ----

  function tableColumns() {
    const measures = ["status", "outcome", "train_accuracy", "test_accuracy", "gap", "jacobian_norm", "transitions",
      "parameters", "train_loss", "test_loss", "steps"].map((name) => columns.get(name)).filter(Boolean)
      .filter((column) => column.role === "measure" && column.name !== "outcome" || column.varies());
    return [...varied, ...measures];
  }

  function cell(column, row) {
    const value = column.at(row);
    return el("td", column.kind === "text" ? {} : { className: "number" }, value === null ? "" : shownValue(column, value));
  }

  function fillTable() {
    const shown = tableColumns();
    const rows = [];
    const order = state.sort ? state.sort.order() : null;
    const values = state.sort && (state.sort.kind === "text" ? state.sort.codes().index : state.sort.numbers());
    const missing = (row) => order && (state.sort.kind === "text" ? values[row] < 0 : values[row] !== values[row]);
    for (let pass = 0; pass < (order ? 2 : 1); pass++) {
      for (let i = 0; i < n && rows.length < LISTED; i++) {
        const row = order ? order[state.descending ? n - 1 - i : i] : i;
        if (state.mask[row] && (pass === 1) === Boolean(missing(row))) rows.push(row);
      }
    }
    byId("table-note").textContent = (state.shown > rows.length
      ? `The first ${whole(rows.length)} of ${networks(state.shown)} shown. ` : "")
      + "A click on a heading sorts, a click on a row opens the network.";
    const head = el("thead", {}, el("tr", {}, ...shown.map((column) => {
      const mark = column !== state.sort ? "" : state.descending ? " ↓" : " ↑";
      return el("th", {
        scope: "col",
        className: column.kind === "text" ? "" : "number",
        title: column.meaning,
        "aria-sort": column !== state.sort ? "none" : state.descending ? "descending" : "ascending",
      }, el("button", {
        type: "button",
        on: {
          click: () => {
            state.descending = state.sort === column && !state.descending;
            state.sort = column;
            fillTable();
          },
        },
      }, column.label + mark));
    })));
    byId("networks").replaceChildren(head, el("tbody", {}, ...rows.map((row) => el("tr", {
      tabIndex: 0,
      className: row === state.open ? "open" : "",
      "data-row": String(row),
      on: {
        click: () => open(row),
        keydown: (event) => { if (event.key === "Enter") open(row); },
      },
    }, ...shown.map((column) => cell(column, row))))));
  }

  async function fillFailures() {
    const status = columns.get("status");
    if (!status) return;
    const { dictionary, index } = status.codes();
    const failed = dictionary.indexOf("failed");
    const rows = [];
    if (failed >= 0) index.forEach((place, row) => { if (place === failed) rows.push(row); });
    if (rows.length === 0) return;
    const error = columns.get("error");
    if (error) await error.load();
    byId("failures").hidden = false;
    byId("failures-note").textContent = networks(rows.length)
      + (rows.length > LISTED ? `, of which the first ${LISTED} are listed.` : ".");
    byId("failed").replaceChildren(
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "error"), ...varied.map((column) =>
        el("th", { scope: "col", className: column.kind === "text" ? "" : "number" }, column.label)))),
      el("tbody", {}, ...rows.slice(0, LISTED).map((row) => el("tr", {},
        el("td", { className: "error problem" }, (error && error.at(row)) || "no reason is known"),
        ...varied.map((column) => cell(column, row))))));
  }

  // ---- One network ----

  async function open(row) {
    await Promise.all([...columns.values()].map((column) => column.load()));
    state.open = row;
    const panel = byId("network");
    const entries = (role) => [...columns.values()]
      .filter((column) => column.role === role && column.name !== "configuration" && column.at(row) !== null);
    const value = (column) => (column.name === "transitions_per_layer"
      ? layers(column.at(row)) : column.role === "key" && column.name !== "status"
        ? el("code", {}, column.at(row)) : column.text(row));
    const list = (title, role) => (entries(role).length === 0 ? null : el("div", {}, el("h3", {}, title),
      el("dl", { className: "facts" }, ...entries(role).flatMap((column) => [
        el("dt", { title: column.meaning }, column.label),
        el("dd", column.name === "error" ? { className: "problem" } : {}, value(column)),
      ]))));
    const identity = columns.has("identity") ? columns.get("identity").at(row) : null;
    const configuration = columns.has("configuration") ? columns.get("configuration").at(row) : null;
    panel.replaceChildren(
      el("header", {}, el("h2", { id: "network-title" }, "Network ", identity ? el("code", {}, identity.slice(0, 12)) : whole(row + 1)),
        el("button", { type: "button", on: { click: close } }, "Close")),
      el("div", { className: "columns" }, list("What was chosen", "factor"), list("What came out", "measure"),
        el("div", {}, list("Which network", "key"), list("How it was computed", "origin"))),
      ...(configuration === null ? [] : [el("h3", {}, "Resolved configuration"), el("pre", {}, indented(configuration))]));
    panel.dataset.row = String(row);
    panel.hidden = false;
    panel.focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest" });
    mark();
  }

  function close() {
    state.open = -1;
    byId("network").hidden = true;
    mark();
  }

  function mark() {
    for (const made of charts.filter((one) => one.kind === "scatter")) made.chart.setOption({ series: [ring(made)] });
    for (const row of document.querySelectorAll("#networks tbody tr")) {
      row.classList.toggle("open", row.dataset.row === String(state.open));
    }
  }

  function layers(text) {
    try {
      return JSON.parse(text).map(decimal).join(" · ");
    } catch {
      return text;
    }
  }

  function indented(text) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text;
    }
  }

  // ---- The page ----

  function fillOrigin() {
    const status = columns.get("status");
    const counts = status ? status.codes().dictionary.map((value, place) =>
      `${whole(status.codes().counts[place])} ${value}`).join(", ") : "";
    byId("subtitle").textContent = [summary.source, networks(n) + (counts ? `: ${counts}` : "")].filter(Boolean).join(" · ");
    byId("provenance").append(...Object.entries({ source: summary.source, ...summary.provenance })
      .filter(([, text]) => text).flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]));
    byId("configuration").textContent = summary.configuration ? indented(summary.configuration) : "";
    byId("configuration-box").hidden = !summary.configuration;
  }

  function repaint() {
    recolour();
    drawScatters();
    drawPairs();
  }

  async function start() {
    if (typeof DecompressionStream === "undefined") {
      throw new Error("this browser is too old for this page: it needs Chrome or Edge 80, Firefox 113 or Safari 16.4, or a later one");
    }
    for (const about of summary.columns) columns.set(about.name, new Column(about));
    const first = [...columns.values()].filter((column) => column.name === "status" || column.role === "factor"
      || (column.role === "measure" && column.name !== "transitions_per_layer"));
    await Promise.all(first.map((column) => column.load()));
    if (summary.contrasts.length > 0) pairs = await unpack("pairs");
    varied = factorColumns().filter((column) => column.varies());

    byId("loading").hidden = true;
    byId("page").hidden = false;
    if (matchMedia("(max-width: 820px)").matches) byId("filter-box").open = false;
    fillOrigin();
    buildFilters();
    buildScatters();
    buildPairs();
    buildColours();
    refresh();
    await fillFailures();

    byId("reset").addEventListener("click", () => {
      for (const one of state.filters) one.reset();
      refresh();
    });
    for (const button of document.querySelectorAll("input[name=statistic]")) {
      button.addEventListener("change", () => { state.statistic = button.value; fillCorrelations(); });
    }
    dark.addEventListener("change", repaint);
    addEventListener("beforeprint", () => { printing = true; repaint(); });
    addEventListener("afterprint", () => { printing = false; repaint(); });
    // What tests ask for.
    window.flinch = { charts, state, columns };
  }

  start().catch((error) => {
    byId("page").hidden = true;
    byId("loading").hidden = false;
    byId("loading").className = "problem";
    byId("loading").textContent = `The page could not be drawn: ${error.message}.`;
    console.error(error);
  });
})();
