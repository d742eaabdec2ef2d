//go:build !js && !linux

package main

import "errors"

var errNotHere = errors.New("soak needs Linux: only its /proc tells the memory and the descriptors of a process")

func resident() (int64, error) { return 0, errNotHere }

func descriptors() (int, error) { return 0, errNotHere }

func loadAverage() (float64, error) { return 0, errNotHere }

func descriptorLimit() (soft, hard uint64, err error) { return 0, 0, errNotHere }
