"""The canvas, its layers and tools. A window embeds `viewer.Viewer`; nothing else here is for others.

How a picture comes to the screen: `loading` decodes on a worker into a `picture` (16-bit codes) and `result_layers` (8-bit heatmap
levels); `scene` composes the slice on screen from them by table look-up (`composition`); a `pane` paints it where `placement` says, and
`annotations` writes over it what `captions` says. `commands` names what the reader can do, `steps` says what becomes of the view.

Decoding and map making are requests that capture all they need and answer for one series key; composing a slice is not, because it
takes half a millisecond and handing it to a worker and back takes longer.
"""
