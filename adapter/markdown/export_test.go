package markdown

import "github.com/starlingbot/starling/adapter"

// ShownHost is shownHost for a label that may hold data.
func ShownHost(label, address string, foreign, data bool) string {
	n := &Node{Kind: KindLink, Target: address, Foreign: foreign}
	if data {
		n.first = &Node{Kind: KindData, Text: label}
	}
	return shownHost(n, label)
}

// ParseNodes parses a text that is already in pieces.
func ParseNodes(nodes ...adapter.Node) *Document {
	c := converter{}
	c.source = c.hideNodes(nodes, 0)
	return c.document()
}

// ParseFully parses a text without the short cut for simple ones.
func ParseFully(text string) *Document {
	c := converter{}
	c.source = c.hide(text)
	return c.document()
}

var (
	Simple     = simple
	ClusterLen = clusterLen
	FindURL    = findURL
)
