/* show(main) fills the view; what it returns is called when the view is left. */

export async function show(main) {
  const title = document.createElement("h2");
  title.textContent = "Live";
  main.append(title);
}
