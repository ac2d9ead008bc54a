package main

import (
	"context"
	"io"
)

const compareUsage, findUsage = "", ""

func runFind(ctx context.Context, args []string, stdout, stderr io.Writer) error    { return nil }
func runCompare(ctx context.Context, args []string, stdout, stderr io.Writer) error { return nil }
