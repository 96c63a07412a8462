/* The page's frame: one view at a time, named by the address after #. */

const VIEWS = ["live", "alerts", "history", "review", "shelves", "health"];
let leave = () => {};

async function show() {
  const name = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "live";
  leave();
  const view = await import(`./views/${name}.js`);
  const main = document.getElementById("view");
  main.replaceChildren();
  leave = (await view.show(main)) ?? (() => {});
}

const nav = document.querySelector("nav");
for (const name of VIEWS) {
  const link = document.createElement("a");
  link.href = `#${name}`;
  link.textContent = name[0].toUpperCase() + name.slice(1);
  nav.append(link);
}
addEventListener("hashchange", show);
show();
