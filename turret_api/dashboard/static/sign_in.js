// A link that ends in #key=… signs in by itself; what stands behind # never leaves the browser.
const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("key").value = given;
  document.getElementById("sign-in").submit();
}
