// Brings the controls of an interaction to life: see interact.go, which puts the id of their element for ID.
(() => {
	const root = document.getElementById("ID");
	if (!root || root.dataset.live) return;
	root.dataset.live = "true";
	const controls = [...root.querySelectorAll("input, button[value]")];
	const doneButton = root.querySelector("button:not([value])"), hint = root.querySelector("small");
	const every = 25, patience = 1000, attempts = 10; // Milliseconds, and how often a message is repeated.
	let comm, seq = 0, confirmed = 0, attempt = 0, done = false, sent = 0, soon = 0, repeat = 0;

	const enable = (on) => {
		for (const c of [...controls, doneButton]) c.disabled = !on;
		hint.hidden = on;
	};
	const say = () => {
		clearTimeout(soon);
		soon = 0;
		sent = performance.now();
		comm.send("ID", JSON.stringify({Seq: ++seq, Values: controls.map((c) => c.value), Done: done}));
		clearTimeout(repeat);
		repeat = setTimeout(() => {
			if (confirmed === seq) return;
			if (++attempt < attempts) say();
			else enable(false); // The cell is gone.
		}, patience);
	};
	const moved = () => {
		attempt = 0;
		if (!soon) soon = setTimeout(say, Math.max(0, sent + every - performance.now()));
	};
	for (const c of controls) {
		if (c.type === "range") {
			c.addEventListener("input", () => {
				c.parentElement.nextElementSibling.value = c.value;
				moved();
			});
		} else {
			c.addEventListener("click", () => {
				c.value = Number(c.value) + 1;
				moved();
			});
		}
	}
	doneButton.addEventListener("click", () => {
		enable(false);
		done = true;
		attempt = 0;
		say();
	});

	// GoNB installs its connection some moments later, and again if it does not hold.
	const connect = (tries) => {
		if (globalThis.gonb_comm && globalThis.gonb_comm !== comm) {
			comm = globalThis.gonb_comm;
			comm.subscribe("ID", (_, heard) => {
				if (!confirmed) enable(true);
				confirmed = Math.max(confirmed, heard);
			});
			attempt = 0;
			say();
		}
		if (!confirmed && tries > 0) setTimeout(connect, 50, tries - 1);
	};
	connect(1200);
})();
