// Begins a new session after one has ended: the page is all there is to begin with.
document.getElementById("again").addEventListener("click", () => window.location.reload());
