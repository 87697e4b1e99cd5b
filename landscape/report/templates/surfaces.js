(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("surface-data").textContent);
  const host = document.getElementById("viewers");
  const metrics = data.items.filter(function (item) { return item.metric; })
    .flatMap(function (item) { return item.metric.flat(); })
    .filter(function (value) { return value !== null; });
  const range = metrics.reduce(function (ends, value) {
    return [Math.min(ends[0], value), Math.max(ends[1], value)];
  }, [Infinity, -Infinity]);

  // Unpacks plotly.js when the first surface is opened; later ones share it.
  let library = null;
  function load() {
    library = library || (async function () {
      const packed = document.getElementById("surface-library");
      const bytes = Uint8Array.from(atob(packed.textContent), function (c) {
        return c.charCodeAt(0);
      });
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
      const script = document.createElement("script");
      script.textContent = await new Response(stream).text();
      document.head.append(script);
      packed.remove();
    }());
    return library;
  }
  // Plotly cuts long titles of axes: they are broken into lines.
  function lines(text) {
    return text.replace(/(.{12,24}?)[ ,]+(?=\S{4})/g, "$1<br>");
  }
  function axis(text, extra) {
    return Object.assign({ title: { text: lines(text), font: { size: 11 } },
      tickfont: { size: 10 }, nticks: 5 }, extra);
  }
  function draw(place, item, kind) {
    const shared = kind === "metric";
    const name = shared ? data.metric : item.logarithmic ? "log10 of the risk" : "risk";
    const surface = {
      type: "surface", x: item.x, y: item.y, z: item[kind], colorscale: "Viridis",
      showscale: false, hovertemplate: "%{x:.3g}, %{y:.3g}: %{z:.4g}<extra></extra>"
    };
    if (shared) { surface.cmin = range[0]; surface.cmax = range[1]; }
    const middle = item[kind][(item.y.length - 1) / 2][(item.x.length - 1) / 2];
    const point = {
      type: "scatter3d", mode: "markers", x: [0], y: [0], z: [middle], hoverinfo: "skip",
      marker: { size: 5, color: "#D55E00", line: { color: "white", width: 1 } }
    };
    return Plotly.react(place, [surface, point], {
      margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, paper_bgcolor: "white",
      font: { color: "#1b1f24" },
      scene: { xaxis: axis(item.axes[0]), yaxis: axis(item.axes[1]),
               zaxis: axis(name, shared ? { range: range } : {}),
               camera: { eye: { x: 1.15, y: -1.6, z: 1.2 }, center: { x: 0, y: 0, z: -0.12 } },
               aspectmode: "manual", aspectratio: { x: 1, y: 1, z: 0.75 } }
    }, { responsive: true, displaylogo: false, displayModeBar: false });
  }
  function choices(items) {
    const plain = items.map(function (item) {
      return { text: ["risk (own units)", item.name].filter(Boolean).join(", "),
               item: item, kind: "risk" };
    });
    const shared = items.filter(function (item) { return item.metric; }).map(function (item) {
      return { text: [data.metric, item.name].filter(Boolean).join(", "),
               item: item, kind: "metric" };
    });
    return plain.concat(shared);
  }
  function viewer(loss, items) {
    const box = document.createElement("details"), title = document.createElement("summary");
    const select = document.createElement("select"), place = document.createElement("div");
    const options = choices(items);
    title.textContent = loss;
    select.setAttribute("aria-label", "surface of " + loss + " to show");
    options.forEach(function (choice, index) { select.add(new Option(choice.text, index)); });
    place.className = "viewer";
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", "surface of " + loss);
    place.textContent = "drawing…";
    box.append(title, select, place);
    host.append(box);
    function show() {
      load().then(function () {
        if (!place.data) { place.textContent = ""; }
        const choice = options[select.selectedIndex];
        return draw(place, choice.item, choice.kind);
      }).catch(function (error) {
        place.textContent = "This browser cannot draw the surface (" + error.message +
          "); the figures of the planes show the same data.";
      });
    }
    select.addEventListener("change", show);
    box.addEventListener("toggle", function () { if (box.open) { show(); } });
  }
  const losses = new Map();
  data.items.forEach(function (item) {
    losses.set(item.loss, (losses.get(item.loss) || []).concat([item]));
  });
  losses.forEach(function (items, loss) { viewer(loss, items); });
}());
