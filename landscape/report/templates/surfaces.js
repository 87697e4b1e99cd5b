(function () {
  const data = JSON.parse(document.getElementById("surface-data").textContent);
  const host = document.getElementById("viewers");
  const choices = [];
  data.items.forEach(function (item, index) {
    choices.push({ text: item.name + ": risk (own units)", index: index, kind: "risk" });
  });
  data.items.forEach(function (item, index) {
    if (item.metric) {
      choices.push({ text: item.name + ": " + data.metric, index: index, kind: "metric" });
    }
  });
  const metrics = data.items.filter(function (item) { return item.metric; })
    .flatMap(function (item) { return item.metric.flat(); })
    .filter(function (value) { return value !== null; });
  const range = [Math.min.apply(null, metrics), Math.max.apply(null, metrics)];
  function label(text) { return { title: { text: text } }; }
  function draw(place, choice) {
    const item = data.items[choice.index];
    const shared = choice.kind === "metric";
    const name = shared ? data.metric : item.logarithmic ? "log10 of the risk" : "risk";
    const surface = {
      type: "surface", x: item.x, y: item.y, z: item[choice.kind], colorscale: "Viridis",
      showscale: false, hovertemplate: "%{x:.3g}, %{y:.3g}: %{z:.4g}<extra></extra>"
    };
    if (shared) { surface.cmin = range[0]; surface.cmax = range[1]; }
    const middle = item[choice.kind][(item.y.length - 1) / 2][(item.x.length - 1) / 2];
    const point = {
      type: "scatter3d", mode: "markers", x: [0], y: [0], z: [middle], hoverinfo: "skip",
      marker: { size: 5, color: "#D55E00", line: { color: "white", width: 1 } }
    };
    const axis = label(name);
    if (shared) { axis.range = range; }
    Plotly.react(place, [surface, point], {
      margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, paper_bgcolor: "white",
      scene: { xaxis: label(item.axes[0]), yaxis: label(item.axes[1]), zaxis: axis,
               camera: { eye: { x: 0.95, y: -1.35, z: 1.25 } },
               aspectmode: "manual", aspectratio: { x: 1, y: 1, z: 0.75 } }
    }, { responsive: true, displaylogo: false, displayModeBar: false });
  }
  // Add all boxes before drawing, so that each has its final width.
  function viewer(first) {
    const box = document.createElement("div");
    const select = document.createElement("select");
    const place = document.createElement("div");
    select.setAttribute("aria-label", "surface to show");
    choices.forEach(function (choice, index) {
      select.add(new Option(choice.text, index, index === first, index === first));
    });
    place.className = "viewer";
    box.append(select, place);
    host.append(box);
    select.addEventListener("change", function () { draw(place, choices[select.value]); });
    return function () { draw(place, choices[first]); };
  }
  const shown = data.items.length > 1 ? [viewer(0), viewer(1)] : [viewer(0)];
  shown.forEach(function (start) { start(); });
}());
