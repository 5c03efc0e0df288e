// What the one who looks may do, by their role: see turret_api/roles.py. The server judges each request all the same.

const ROLES = ["viewer", "analyst", "editor", "owner"];

export const { role } = document.body.dataset;
const may = (other) => ROLES.indexOf(role) >= ROLES.indexOf(other);

export const mayReadTexts = may("analyst");
export const mayEdit = may("editor");
export const mayOwn = may("owner");

// How a page says that there is more to do than the one who looks may do.
export const lookingAs = `You are signed in as ${role === "viewer" ? "a" : "an"} ${role}`;
