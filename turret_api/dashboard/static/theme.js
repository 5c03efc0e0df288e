// Light or dark, before the page is first painted: as the system has it, or as this browser was told.
{
  const dark = document.getElementById("dark");
  const apply = (choice) => {
    dark.media = choice === "dark" ? "all" : choice === "light" ? "not all" : "(prefers-color-scheme: dark)";
    document.documentElement.style.colorScheme = choice ?? "light dark";
  };
  apply(localStorage.getItem("theme"));
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button?.addEventListener("click", () => {
      const isDark = getComputedStyle(document.documentElement).getPropertyValue("--is-dark").trim() === "1";
      localStorage.setItem("theme", isDark ? "light" : "dark");
      apply(isDark ? "light" : "dark");
      dispatchEvent(new Event("turret:theme"));
    });
  });
}
