/* What a view asks for again and again, while somebody looks at it. */

const EVERY_MS = 5000;

/* Load at once, and again every 5 s while the page can be seen; what is returned ends it. */
export async function polled(load) {
  let timer = 0, alive = true;
  const tick = async () => {
    clearTimeout(timer);
    if (!document.hidden) await load().catch(() => {});
    if (alive && !document.hidden) timer = setTimeout(tick, EVERY_MS);
  };
  document.addEventListener("visibilitychange", tick);
  await load();
  timer = setTimeout(tick, EVERY_MS);
  return () => {
    alive = false;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", tick);
  };
}
