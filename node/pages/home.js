const set = (id, text) => { document.getElementById(id).textContent = text; };
const get = async (path) => (await fetch(path)).json();
async function refresh() {
  try {
    const status = await get("/v1/status");
    set("height", status.height);
    set("time", new Date(status.time_ms).toISOString().slice(0, 19).replace("T", " "));
    set("mempool", status.mempool);
    const signing = status.validators.filter((one) => one.last_signed_height >= status.height - 3).length;
    set("signing", signing + " / " + status.validators.length);
    const supply = await get("/v1/supply");
    const rows = supply.schemes.map((line) => {
      const row = document.createElement("tr");
      for (const [text, number] of [[line.name], [line.unit], [line.live, 1], [line.retired, 1], [line.expired, 1], [line.issued, 1]]) {
        const cell = row.insertCell();
        cell.textContent = number ? BigInt(text).toLocaleString(document.documentElement.lang) : text;
        if (number) cell.className = "number";
      }
      return row;
    });
    document.getElementById("supply").replaceChildren(...rows);
  } catch (error) { /* the node is away; the next round may find it */ }
  setTimeout(refresh, 3000);
}
setTimeout(refresh, 3000);
