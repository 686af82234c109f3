package main

// newWays returns all ways, in the order of the tables.
func newWays() []Way {
	return []Way{&provider{}, newFloor(), &kubectl{}, newFlux(), newHelm(), &crsWay{}}
}

// tasks are what this program does as a child process, by the name of the way.
var tasks = map[string]task{
	floorName: floorTask,
}
