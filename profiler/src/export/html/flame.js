// The flame graph: callers above callees, as wide as the weight that was chosen. Elements exist only for frames that are
// wide enough to be seen.
(function () {
  "use strict";
  const source = document.getElementById("flame-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const graph = document.getElementById("flame-graph");
  const detail = document.getElementById("flame-detail");
  const chooser = document.getElementById("flame-weight");
  const searchBox = document.getElementById("flame-search");
  const matched = document.getElementById("flame-matched");
  const resetButton = document.getElementById("flame-reset");
  const ROW = 18, NARROWEST = 1, MARK = 4;

  // Nodes in the order in which a depth-first walk meets them: a node's subtree is what follows it up to its end.
  const frameOf = [-1], parentOf = [-1], depthOf = [0], endOf = [0], inWaker = [false];
  const weightOf = data.weights.map(() => [0]);
  (function build() {
    const path = [0], stacks = data.stacks;
    const leave = (length) => {
      while (path.length > length) endOf[path.pop()] = frameOf.length;
    };
    for (let i = 0; i < stacks.length;) {
      leave(stacks[i++] + 1);
      for (let fresh = stacks[i++]; fresh > 0; fresh--) {
        const node = frameOf.length, parent = path[path.length - 1], frame = stacks[i++];
        frameOf.push(frame);
        parentOf.push(parent);
        depthOf.push(path.length);
        endOf.push(0);
        const above = parent > 0 && data.frames[frameOf[parent]];
        inWaker.push(inWaker[parent] || (above && above[0] === "--" && above[2] === MARK));
        for (const weights of weightOf) weights.push(0);
        path.push(node);
      }
      for (const weights of weightOf) {
        const ns = stacks[i++];
        if (ns > 0) for (const node of path) weights[node] += ns;
      }
    }
    leave(0);
  })();

  let weight = Number(chooser.value), zoom = 0, at = 0, hits = null;
  let elements = new Map();

  function time(ns) {
    if (ns < 1e3) return ns + " ns";
    const [unit, size] = ns < 999500 ? ["µs", 1e3] : ns < 999500000 ? ["ms", 1e6] : ["s", 1e9];
    const value = ns / size;
    return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + " " + unit;
  }

  function percent(share) {
    return share > 0 && share < 0.0005 ? "<0.1 %" : (100 * share).toFixed(1) + " %";
  }

  function name(node) {
    return node === 0 ? "all" : data.frames[frameOf[node]][0];
  }

  function describe(node) {
    const ns = weightOf[weight][node], all = weightOf[weight][0];
    const module = node === 0 ? "" : data.modules[data.frames[frameOf[node]][1]];
    const share = all > 0 ? percent(ns / all) + " of all" : "n/a";
    return name(node) + (module ? " (" + module + ")" : "") + ": " + time(ns) + ", " + share;
  }

  function place(node, left, width, pixels) {
    const box = document.createElement("div");
    const kind = node === 0 ? "k4" : inWaker[node] ? "waker" : "k" + data.frames[frameOf[node]][2];
    box.className = kind + (pixels < 8 ? " thin" : "") + (node < zoom && endOf[node] >= endOf[zoom] ? " above" : "");
    if (hits && node > 0 && hits[frameOf[node]]) box.className += " hit";
    box.style.left = left + "%";
    box.style.width = width + "%";
    box.style.top = depthOf[node] * ROW + "px";
    if (pixels >= 20) box.textContent = name(node);
    box.title = describe(node);
    box.id = "flame-" + node;
    box.node = node;
    box.setAttribute("role", "treeitem");
    box.setAttribute("aria-level", depthOf[node] + 1);
    elements.set(node, box);
    return box;
  }

  function draw() {
    const weights = weightOf[weight], whole = weights[zoom];
    const fragment = document.createDocumentFragment();
    const pixels = graph.clientWidth || 1000;
    let deepest = depthOf[zoom];
    elements = new Map();
    for (let node = parentOf[zoom]; node >= 0; node = parentOf[node]) fragment.append(place(node, 0, 100, pixels));
    const pending = whole > 0 ? [[zoom, 0]] : [];
    while (pending.length > 0) {
      const [node, left] = pending.pop();
      const width = 100 * weights[node] / whole;
      if (width * pixels / 100 < NARROWEST) continue;
      fragment.append(place(node, left, width, width * pixels / 100));
      deepest = Math.max(deepest, depthOf[node]);
      let x = left;
      for (let child = node + 1; child < endOf[node]; child = endOf[child]) {
        if (weights[child] === 0) continue;
        pending.push([child, x]);
        x += 100 * weights[child] / whole;
      }
    }
    graph.textContent = whole > 0 ? "" : data.weights[weight].none;
    graph.append(fragment);
    graph.style.height = (deepest + 1) * ROW + "px";
    resetButton.disabled = zoom === 0;
    showMatched();
    mark();
  }

  // Of frames that match below each other only the outermost counts.
  function showMatched() {
    if (!hits || weightOf[weight][zoom] === 0) {
      matched.textContent = "";
      return;
    }
    let ns = 0;
    for (let node = zoom; node < endOf[zoom];) {
      const hit = node > 0 && hits[frameOf[node]];
      if (hit) ns += weightOf[weight][node];
      node = hit ? endOf[node] : node + 1;
    }
    matched.textContent = "matched: " + time(ns) + ", " + percent(ns / weightOf[weight][zoom]);
  }

  function search() {
    const text = searchBox.value;
    if (text === "") {
      hits = null;
    } else {
      let matches = (name) => name.toLowerCase().includes(text.toLowerCase());
      try {
        const expression = new RegExp(text, "i");
        matches = (name) => expression.test(name);
      } catch { /* not an expression (yet): as it stands, then */ }
      hits = data.frames.map(([name]) => matches(name));
    }
    draw();
  }

  function mark() {
    for (const box of graph.querySelectorAll(".at")) box.classList.remove("at");
    const box = document.activeElement === graph && elements.get(at);
    if (box) {
      box.classList.add("at");
      graph.setAttribute("aria-activedescendant", box.id);
    } else {
      graph.removeAttribute("aria-activedescendant");
    }
  }

  function moveTo(node) {
    if (!elements.has(node)) return;
    at = node;
    detail.textContent = describe(node);
    mark();
  }

  function zoomTo(node) {
    zoom = at = node;
    draw();
    detail.textContent = describe(node);
  }

  function seen(node) {
    const drawn = [];
    for (let child = node + 1; child < endOf[node]; child = endOf[child]) if (elements.has(child)) drawn.push(child);
    return drawn;
  }

  const keys = {
    ArrowUp: () => moveTo(parentOf[at]),
    ArrowDown: () => moveTo(at < zoom ? nextOnTheWayTo(zoom) : seen(at)[0]),
    ArrowLeft: () => moveTo(beside(-1)),
    ArrowRight: () => moveTo(beside(1)),
    Enter: () => zoomTo(at),
    Escape: () => zoomTo(zoom === 0 ? 0 : parentOf[zoom]),
  };

  function nextOnTheWayTo(node) {
    while (parentOf[node] !== at && node > 0) node = parentOf[node];
    return node;
  }

  function beside(step) {
    if (at === 0) return 0;
    const siblings = seen(parentOf[at]);
    return siblings[siblings.indexOf(at) + step];
  }

  graph.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  graph.addEventListener("focus", mark);
  graph.addEventListener("blur", mark);
  graph.addEventListener("click", (event) => {
    if (event.target.node !== undefined) zoomTo(event.target.node);
  });
  graph.addEventListener("mouseover", (event) => {
    if (event.target.node !== undefined) detail.textContent = describe(event.target.node);
  });
  chooser.addEventListener("change", () => {
    weight = Number(chooser.value);
    zoomTo(weightOf[weight][zoom] > 0 ? zoom : 0);
  });
  searchBox.addEventListener("input", search);
  resetButton.addEventListener("click", () => zoomTo(0));
  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  });
  weight = Number(chooser.value);
  draw();
})();
