"use strict";

// A file system in memory with the part of Node's fs module that Go's syscall package calls. With
// it, what needs files in Go's own testing package works in a page: Examples (their output is
// captured in a file), t.TempDir, fuzz corpora and testdata. What it does not have answers ENOSYS.

globalThis.newMemoryFS = (files, writeOutput) => {
	const DIRECTORY = 0o040000, REGULAR = 0o100000;
	const constants = { O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 0o100, O_EXCL: 0o200, O_TRUNC: 0o1000, O_APPEND: 0o2000, O_DIRECTORY: 0o200000 };
	const fail = (code) => { throw Object.assign(new Error(code), { code }); };

	let workingDirectory = "/";
	const resolve = (...parts) => {
		const out = [];
		for (const part of [workingDirectory, ...parts]) {
			if (part.startsWith("/")) out.length = 0;
			for (const name of part.split("/")) {
				if (name === "..") out.pop();
				else if (name !== "" && name !== ".") out.push(name);
			}
		}
		return "/" + out.join("/");
	};

	let nextInode = 1;
	const newNode = (mode) => ({ inode: nextInode++, mode, data: new Uint8Array(0), modified: Date.now() });
	const isDirectory = (node) => (node.mode & DIRECTORY) !== 0;
	const nodes = new Map([["/", newNode(DIRECTORY | 0o755)]]);
	const parentOf = (path) => path.slice(0, path.lastIndexOf("/")) || "/";
	const childrenOf = (path) => {
		const prefix = path === "/" ? "/" : path + "/";
		return [...nodes.keys()].filter((p) => p !== "/" && p.startsWith(prefix) && !p.slice(prefix.length).includes("/")).map((p) => p.slice(prefix.length));
	};
	const lookup = (path) => nodes.get(resolve(path)) ?? fail("ENOENT");
	const create = (path, node) => {
		const parent = nodes.get(parentOf(path)) ?? fail("ENOENT");
		if (!isDirectory(parent)) fail("ENOTDIR");
		nodes.set(path, node);
		return node;
	};
	const makeDirectories = (path) => {
		if (nodes.has(path)) return;
		makeDirectories(parentOf(path));
		create(path, newNode(DIRECTORY | 0o755));
	};

	const open = new Map(); // file descriptor to {node, position, append}
	let nextFD = 3;
	const opened = (fd) => open.get(fd) ?? fail("EBADF");

	const resize = (node, size) => {
		const data = new Uint8Array(size);
		data.set(node.data.subarray(0, size));
		node.data = data;
		node.modified = Date.now();
	};
	const stat = (node) => ({
		dev: 1, ino: node.inode, mode: node.mode, nlink: 1, uid: 0, gid: 0, rdev: 0,
		size: node.data.length, blksize: 4096, blocks: Math.ceil(node.data.length / 512),
		atimeMs: node.modified, mtimeMs: node.modified, ctimeMs: node.modified,
		isDirectory: () => isDirectory(node),
	});

	const calls = {
		open(path, flags, mode) {
			path = resolve(path);
			let node = nodes.get(path);
			if (node === undefined) {
				if (!(flags & constants.O_CREAT)) fail("ENOENT");
				node = create(path, newNode(REGULAR | (mode & 0o777)));
			} else if (flags & constants.O_CREAT && flags & constants.O_EXCL) {
				fail("EEXIST");
			}
			if (isDirectory(node) && flags & (constants.O_WRONLY | constants.O_RDWR)) fail("EISDIR");
			if (!isDirectory(node) && flags & constants.O_DIRECTORY) fail("ENOTDIR");
			if (flags & constants.O_TRUNC) resize(node, 0);
			open.set(nextFD, { node, position: 0, append: (flags & constants.O_APPEND) !== 0 });
			return nextFD++;
		},
		close(fd) { opened(fd); open.delete(fd); },
		read(fd, buffer, offset, length, position) {
			if (fd === 0) return 0; // standard input is at its end
			const file = opened(fd);
			if (isDirectory(file.node)) fail("EISDIR");
			const from = position ?? file.position;
			const bytes = file.node.data.subarray(from, from + length);
			buffer.set(bytes, offset);
			if (position === null) file.position += bytes.length;
			return bytes.length;
		},
		write(fd, buffer, offset, length, position) {
			const bytes = buffer.subarray(offset, offset + length);
			if (fd === 1 || fd === 2) {
				writeOutput(fd, bytes);
				return length;
			}
			const file = opened(fd);
			const at = file.append ? file.node.data.length : position ?? file.position;
			if (at + length > file.node.data.length) resize(file.node, at + length);
			file.node.data.set(bytes, at);
			if (position === null) file.position = at + length;
			return length;
		},
		stat(path) { return stat(lookup(path)); },
		lstat(path) { return stat(lookup(path)); },
		fstat(fd) {
			// Go asks this of its standard streams; they are no files.
			return fd < 3 ? stat({ inode: 0, mode: 0o020000, data: [], modified: 0 }) : stat(opened(fd).node);
		},
		fsync() {},
		readdir(path) {
			if (!isDirectory(lookup(path))) fail("ENOTDIR");
			return childrenOf(resolve(path));
		},
		mkdir(path, mode) {
			path = resolve(path);
			if (nodes.has(path)) fail("EEXIST");
			create(path, newNode(DIRECTORY | (mode & 0o777)));
		},
		unlink(path) {
			if (isDirectory(lookup(path))) fail("EISDIR");
			nodes.delete(resolve(path));
		},
		rmdir(path) {
			if (!isDirectory(lookup(path))) fail("ENOTDIR");
			if (childrenOf(resolve(path)).length > 0) fail("ENOTEMPTY");
			nodes.delete(resolve(path));
		},
		rename(from, to) {
			const node = lookup(from);
			if (isDirectory(node)) fail("ENOSYS");
			nodes.delete(resolve(from));
			create(resolve(to), node);
		},
		truncate(path, length) { resize(lookup(path), length); },
		ftruncate(fd, length) { resize(opened(fd).node, length); },
		chmod(path, mode) { const node = lookup(path); node.mode = (node.mode & ~0o777) | (mode & 0o777); },
		fchmod(fd, mode) { const { node } = opened(fd); node.mode = (node.mode & ~0o777) | (mode & 0o777); },
		utimes(path, accessed, modified) { lookup(path).modified = modified * 1000; },
	};

	const fs = { constants };
	for (const name of ["chown", "fchown", "lchown", "link", "readlink", "symlink"]) {
		calls[name] = () => fail("ENOSYS");
	}
	for (const [name, call] of Object.entries(calls)) {
		fs[name] = (...args) => {
			const callback = args.pop();
			let result;
			try {
				result = call(...args);
			} catch (err) {
				callback(err);
				return;
			}
			callback(null, result);
		};
	}
	// The Go runtime prints panics and fatal errors with this one.
	fs.writeSync = (fd, buffer) => calls.write(fd, buffer, 0, buffer.length, null);

	makeDirectories("/tmp");
	makeDirectories("/src");
	for (const [path, base64] of Object.entries(files ?? {})) {
		makeDirectories(parentOf(path));
		create(path, newNode(REGULAR | 0o644)).data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
	}

	return {
		fs,
		path: { resolve },
		makeDirectories,
		// files returns the files below a directory: path to contents.
		files: (directory) => [...nodes].filter(([path, node]) => path.startsWith(directory + "/") && !isDirectory(node)).map(([path, node]) => [path, node.data]),
		cwd: () => workingDirectory,
		chdir(path) {
			if (!isDirectory(lookup(path))) fail("ENOTDIR");
			workingDirectory = resolve(path);
		},
	};
};
