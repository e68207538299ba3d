// Walking through the steps: without this script they are all there to read.
"use strict";
(() => {
  const stepper = document.getElementById("stepper");
  const steps = [...document.querySelectorAll("#walk .step")];
  if (!stepper || !steps.length) return;
  const walk = document.getElementById("walk");
  const status = stepper.querySelector("output");
  let now = -1;

  const nodesOf = (step) =>
    (step.dataset.nodes === undefined ? step.id.slice(1) : step.dataset.nodes)
      .split(" ")
      .map((number) => document.getElementById("n" + number))
      .filter(Boolean);

  const show = (next, behavior) => {
    now = Math.max(-1, Math.min(steps.length - 1, next));
    walk.classList.toggle("walking", now !== -1);
    steps.forEach((step, k) => {
      step.classList.toggle("ahead", now !== -1 && k > now);
      if (k === now) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    document.querySelectorAll(".now").forEach((shown) => shown.classList.remove("now"));
    // A button that is disabled loses the focus, and with it the arrow keys: these only say that they lead nowhere.
    const ends = { first: now < 0, back: now < 0, next: now === steps.length - 1 };
    stepper.querySelectorAll("button").forEach((button) => button.setAttribute("aria-disabled", ends[button.dataset.go]));
    status.value = now < 0 ? steps.length + " steps" : "Step " + (now + 1) + " of " + steps.length;
    if (now < 0) return;
    steps[now].scrollIntoView({ block: "center", behavior });
    for (const node of nodesOf(steps[now])) {
      node.classList.add("now");
      document.getElementById("c" + node.id.slice(1)).classList.add("now");
      const box = node.closest(".scroll");
      const at = node.getBoundingClientRect();
      const frame = box.getBoundingClientRect();
      box.scrollBy({
        top: at.top + at.height / 2 - frame.top - frame.height / 2,
        left: at.left + at.width / 2 - frame.left - frame.width / 2,
        behavior,
      });
    }
  };

  const motion = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth");
  const go = { first: () => -1, back: () => now - 1, next: () => now + 1 };
  stepper.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) show(go[button.dataset.go](), motion());
  });
  stepper.addEventListener("keydown", (event) => {
    const way = { Home: "first", ArrowLeft: "back", ArrowRight: "next" }[event.key];
    if (!way) return;
    event.preventDefault();
    show(go[way](), motion());
  });
  const follow = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && steps.includes(target)) show(steps.indexOf(target), "instant");
  };
  window.addEventListener("hashchange", follow);
  stepper.hidden = false;
  show(-1);
  follow();
})();
