// Connects the controls of an interaction with their cell. interact.go replaces ID by the id of
// their element.
(() => {
	const root = document.getElementById("ID");
	if (!root || root.dataset.live) return;
	root.dataset.live = "true";
	const controls = [...root.querySelectorAll("input, button[value]")];
	const doneButton = root.querySelector("button:not([value])"), hint = root.querySelector("small");
	const every = 25, timeout = 1000; // Milliseconds between messages, and until a repetition.
	const attempts = 10;
	let comm, seq = 0, confirmed = 0, attempt = 0, done = false, sent = 0, soon = 0, repeat = 0;

	const enable = (on) => {
		for (const c of [...controls, doneButton]) c.disabled = !on;
		hint.hidden = on;
	};
	const send = () => {
		clearTimeout(soon);
		soon = 0;
		sent = performance.now();
		comm.send("ID", JSON.stringify({Seq: ++seq, Values: controls.map((c) => c.value), Done: done}));
		clearTimeout(repeat);
		repeat = setTimeout(() => {
			if (confirmed === seq) return;
			if (++attempt < attempts) send();
			else enable(false); // The cell has ended.
		}, timeout);
	};
	const moved = () => {
		attempt = 0;
		if (!soon) soon = setTimeout(send, Math.max(0, sent + every - performance.now()));
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
		send();
	});

	// Workaround: gonb v0.11.5 connects some time after this script starts, again if that fails, and
	// sends no event. So the script looks for the connection every 50 ms.
	const connect = (tries) => {
		if (globalThis.gonb_comm && globalThis.gonb_comm !== comm) {
			comm = globalThis.gonb_comm;
			comm.subscribe("ID", (_, number) => {
				if (!confirmed) enable(true);
				confirmed = Math.max(confirmed, number);
			});
			attempt = 0;
			send();
		}
		if (!confirmed && tries > 0) setTimeout(connect, 50, tries - 1);
	};
	connect(1200);
})();
