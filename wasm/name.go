package main

import "math/rand/v2"

// inventName returns a name for a person who chose none.
func inventName() string {
	first := []string{"amber", "brave", "calm", "dusty", "eager", "fuzzy", "golden", "happy", "ivory", "jolly", "keen", "lucky", "mellow", "nimble", "olive", "plucky"}
	second := []string{"otter", "heron", "lynx", "finch", "badger", "gecko", "marten", "wren", "puffin", "hare", "ibex", "newt", "robin", "stoat", "tapir", "vole"}
	return first[rand.IntN(len(first))] + "-" + second[rand.IntN(len(second))]
}
